"""The Python client: ``Client``, ``AsyncClient``, their errors and results."""

from gemello.client.calls.gallery import UNCHANGED
from gemello.client.client import AsyncClient, Client
from gemello.client.connection import DEFAULT_URL
from gemello.client.errors import ApiError, Unreachable

__all__ = ["DEFAULT_URL", "UNCHANGED", "ApiError", "AsyncClient", "Client", "Unreachable"]
