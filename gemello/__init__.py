"""The front door: the command line ``gemello`` and the Python client."""

from gemello.client import ApiError, Client, Unreachable

__all__ = ["ApiError", "Client", "Unreachable"]
