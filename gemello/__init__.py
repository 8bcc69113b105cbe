"""What talks to a running service: the Python client, and the command line ``gemello``."""

from gemello.client import ApiError, AsyncClient, Client, Unreachable

__all__ = ["ApiError", "AsyncClient", "Client", "Unreachable", "__version__"]

__version__ = "0.1.0"
