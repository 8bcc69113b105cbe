"""Checksums of rows: a flipped bit, or a vector that has come to another image, is noticed. Pure.

CRC-32: it has to find what disks do, not what an enemy does, in as little time as reading takes.
"""

import zlib
from collections.abc import Sequence


def record_checksum(columns: Sequence[object]) -> int:
    """Return the checksum of a record's columns, in the order of the table ``images``."""
    # What is no valid text any more has to be read, too, to be told from what was written.
    text = "\0".join(map(str, columns))
    return zlib.crc32(text.encode(errors="surrogateescape"))


def vector_checksum(position: int, model_id: str, sha256: str | None, vector: bytes) -> int:
    """Return the checksum of a vector's bytes, of the image they belong to and the model they are of."""
    return zlib.crc32(
        vector, zlib.crc32(f"{position} {model_id} {sha256}".encode(errors="surrogateescape"))
    )
