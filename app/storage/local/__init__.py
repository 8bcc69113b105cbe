"""The embedded store: SQLite, files, and an index in memory."""
