"""Connections: who may hold one, for how long, and what is refused before it is a request."""
