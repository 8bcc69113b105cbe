"""The domain: add, change, remove, search, rank, find near-duplicates. No HTTP, no SQL."""
