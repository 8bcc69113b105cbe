"""HTTP and nothing else: routes, requests, responses, limits, errors."""
