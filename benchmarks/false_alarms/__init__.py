"""How often `match` is wrong, and what it misses."""
