"""A kept error holds nothing of what it was raised with."""

import gc
import weakref

from app.errors import ImageUndecodable
from app.inference.failures import as_result


class Picture:
    """Stands for bytes, which cannot be watched."""


def decode(data: Picture) -> None:
    try:
        raise OSError(str(data))
    except OSError as exc:
        raise ImageUndecodable("it is broken") from exc


def test_the_bytes_go_while_the_error_stays() -> None:
    data = Picture()
    watched = weakref.ref(data)
    try:
        decode(data)
    except ImageUndecodable as exc:
        kept = as_result(exc)
    del data
    gc.collect()
    assert watched() is None
    assert str(kept) == "The image cannot be decoded: it is broken."
