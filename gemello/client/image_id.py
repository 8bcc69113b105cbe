"""The id that the service gives an image that comes without one."""

import hashlib
from pathlib import Path

DEFAULT_ID_LENGTH = 32
"""Hex digits of the SHA-256 of the bytes; a test holds it to the service's."""


def default_id(path: Path) -> str:
    """Return the id of the image in a file. Raises ``OSError`` when it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DEFAULT_ID_LENGTH]
