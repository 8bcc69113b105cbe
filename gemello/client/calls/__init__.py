"""The calls of the API, as values: what is sent, and what the answer becomes. Nothing is sent here."""
