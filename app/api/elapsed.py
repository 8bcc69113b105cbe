"""How long a request has taken."""

import time


def elapsed_ms(start: float) -> float:
    """Return the milliseconds since ``start``, a value of ``time.perf_counter``."""
    return round((time.perf_counter() - start) * 1000, 2)
