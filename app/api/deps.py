"""What routes ask for: the service, and the pieces of a form that need checking."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Depends, Request, UploadFile

from app.bundle.encoder import Vectors
from app.errors import ParameterInvalid
from app.gallery.metadata import MAX_FILENAME, MAX_LABEL, check_metadata, clean_name, kind_of
from app.images.box import Box
from app.service import Service

MAX_ID = 200
MAX_URL = 2000

T = TypeVar("T")


def _started(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Started = Annotated[Service, Depends(_started)]
"""The service in whatever state it is: for those who watch it."""


def _serving(service: Started) -> Service:
    service.check_loaded()
    return service


Serving = Annotated[Service, Depends(_serving)]
"""The service, once it knows its gallery. Raises ``NotReady``."""


def read_upload(upload: UploadFile, limit: int) -> bytes:
    """The file's bytes, but no more than one beyond ``limit``: enough to be refused by size."""
    return upload.file.read(limit + 1)


def clean_filename(upload: UploadFile) -> str | None:
    """The last part of the name that the caller gave: for show only, never a path."""
    name = PurePosixPath((upload.filename or "").replace("\\", "/")).name
    return clean_name(name, MAX_FILENAME)


def parse_ids(text: str | None, count: int) -> list[str | None]:
    return _aligned("ids", text, count, check_id)


def parse_labels(text: str | None, count: int) -> list[str | None]:
    return _aligned("labels", text, count, check_label)


def parse_metadata(text: str | None, count: int) -> list[dict[str, Any]]:
    parsed = _aligned("metadata", text, count, check_metadata)
    return [value or {} for value in parsed]


def parse_embeddings(text: str | None, count: int) -> list[Vectors | None]:
    """float32 [D] for each image, or None. Raises ``ParameterInvalid``."""
    return _aligned("embeddings", text, count, _check_vector)


def _check_vector(value: object) -> Vectors:
    numbers = isinstance(value, list) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in value
    )
    try:
        vector = np.array(value if numbers else [], np.float64)
    except OverflowError:
        vector = np.array([np.inf])
    if not len(vector) or not (np.abs(vector) <= np.finfo(np.float32).max).all():
        raise ParameterInvalid("embeddings", "expected a list of numbers for each image")
    return vector.astype(np.float32)


def parse_urls(text: str | None) -> list[str]:
    """A JSON list of texts. Raises ``ParameterInvalid``."""
    try:
        values = json.loads(text or "")
    except (ValueError, RecursionError) as exc:
        raise ParameterInvalid("urls", "expected a JSON list of addresses") from exc
    if not isinstance(values, list):
        raise ParameterInvalid("urls", f"expected a JSON list, got {kind_of(values)}")
    return [_check_text(value, "urls", MAX_URL) for value in values]


def parse_box(text: str | None) -> Box | None:
    """``x1,y1,x2,y2`` in 0–1. Raises ``ParameterInvalid``."""
    if text is None:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as exc:
        raise ParameterInvalid("box", "expected four numbers, x1,y1,x2,y2") from exc
    return Box(left, top, right, bottom)


def check_id(value: object, name: str = "ids") -> str:
    """An id stands in a URL's path, so a slash and what cannot be printed are refused."""
    text = _check_text(value, name, MAX_ID)
    if not text or "/" in text or text in {".", ".."}:
        raise ParameterInvalid(name, "an id must not be empty, '.', '..' or hold a slash")
    return text


def check_label(value: object, name: str = "labels") -> str:
    return _check_text(value, name, MAX_LABEL)


def _check_text(value: object, name: str, limit: int) -> str:
    if not isinstance(value, str):
        raise ParameterInvalid(name, f"expected text or null, got {kind_of(value)}")
    if len(value) > limit:
        raise ParameterInvalid(name, f"at most {limit} characters, got {len(value)}")
    # Control characters, and lone surrogates, which no UTF-8 can hold.
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise ParameterInvalid(name, "it holds a character that cannot be printed")
    return value


def _aligned(name: str, text: str | None, count: int, check: "Any") -> list[Any]:
    """A JSON list with one entry for each image; None for an entry that is null or a missing list."""
    if text is None:
        return [None] * count
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise ParameterInvalid(name, "expected a JSON list, one entry for each image") from exc
    if not isinstance(values, list):
        raise ParameterInvalid(name, f"expected a JSON list, got {kind_of(values)}")
    _check_aligned(name, values, count)
    return [None if value is None else check(value) for value in values]


def _check_aligned(name: str, values: Sequence[object], count: int) -> None:
    if len(values) != count:
        raise ParameterInvalid(name, f"{len(values)} entries for {count} images; send one for each")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
