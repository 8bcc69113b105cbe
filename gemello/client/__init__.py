"""The Python client: ``Client``, ``AsyncClient``, their errors and results."""

from gemello.client.client import DEFAULT_URL, AsyncClient, Client
from gemello.client.errors import ApiError, Unreachable

__all__ = ["DEFAULT_URL", "ApiError", "AsyncClient", "Client", "Unreachable"]
