"""Fields of a form that hold JSON or numbers as text, parsed and checked."""

import json
import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from app.bundle.encoder import Vectors
from app.errors import ParameterInvalid
from app.gallery.metadata import MAX_LABEL, check_metadata, kind_of
from app.images.box import Box

MAX_ID = 200
MAX_URL = 2000
# Every model's vectors have unit length; rounded to a few decimals, nearly.
_TOLERANCE = 1e-2

T = TypeVar("T")


def parse_ids(text: str | None, count: int) -> list[str | None]:
    """Return an id, or None, for each of ``count`` images. Raise ``ParameterInvalid``."""
    return _aligned("ids", text, count, check_id)


def parse_labels(text: str | None, count: int) -> list[str | None]:
    """Return a label, or None, for each of ``count`` images. Raise ``ParameterInvalid``."""
    return _aligned("labels", text, count, check_label)


def parse_metadata(text: str | None, count: int) -> list[dict[str, Any]]:
    """Return a JSON object for each of ``count`` images. Raise ``ParameterInvalid``."""
    return [value or {} for value in _aligned("metadata", text, count, check_metadata)]


def parse_embeddings(text: str | None, count: int) -> list[Vectors | None]:
    """Return a unit vector float32 [D], or None, for each image. Raise ``ParameterInvalid``."""
    return _aligned("embeddings", text, count, _check_vector)


def parse_urls(text: str) -> list[str]:
    """Return the texts of a JSON list. Raise ``ParameterInvalid``."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ParameterInvalid("urls", "expected a JSON list of addresses") from exc
    if not isinstance(values, list):
        raise ParameterInvalid("urls", f"expected a JSON list, got {kind_of(values)}")
    return [_check_text(value, "urls", MAX_URL) for value in values]


def parse_box(text: str | None) -> Box | None:
    """Return the box of ``x1,y1,x2,y2`` in 0–1. Raise ``ParameterInvalid``."""
    if text is None:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as exc:
        raise ParameterInvalid("box", "expected four numbers, x1,y1,x2,y2") from exc
    return Box(left, top, right, bottom)


def check_id(value: object) -> str:
    """Return ``value`` if it can be an image's id. Raise ``ParameterInvalid``.

    An id stands in a URL's path, so a slash and what cannot be printed are refused.
    """
    text = _check_text(value, "ids", MAX_ID)
    if not text or "/" in text or text in {".", ".."}:
        raise ParameterInvalid("ids", "an id must not be empty, '.', '..' or hold a slash")
    return text


def check_label(value: object, name: str = "labels") -> str:
    """Return ``value`` if it can be a label. Raise ``ParameterInvalid``."""
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


def _check_vector(value: object) -> Vectors:
    numbers = isinstance(value, list) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in value
    )
    try:
        vector = np.array(value if numbers else [], np.float64)
    except OverflowError:
        vector = np.array([np.inf])
    with np.errstate(over="ignore"):
        length = np.linalg.norm(vector)
    if not len(vector) or not abs(length - 1) <= _TOLERANCE:
        raise ParameterInvalid(
            "embeddings", "expected a list of numbers for each image, a vector of unit length"
        )
    return vector.astype(np.float32)


def _aligned(
    name: str, text: str | None, count: int, check: Callable[[object], T]
) -> list[T | None]:
    """Return one entry of a JSON list for each image; None where it is null, or without a list."""
    if text is None:
        return [None] * count
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise ParameterInvalid(name, "expected a JSON list, one entry for each image") from exc
    if not isinstance(values, list):
        raise ParameterInvalid(name, f"expected a JSON list, got {kind_of(values)}")
    if len(values) != count:
        raise ParameterInvalid(name, f"{len(values)} entries for {count} images; send one for each")
    return [None if value is None else check(value) for value in values]


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
