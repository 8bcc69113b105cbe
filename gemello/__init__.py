"""The front door: the command line ``gemello`` and the Python client."""

from gemello.client import ApiError, AsyncClient, Client, Unreachable

__all__ = ["ApiError", "AsyncClient", "Client", "Unreachable"]
