"""What a caller says of an image: a JSON object, of bounded size and depth."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from app.errors import ParameterInvalid

MAX_BYTES = 16_384
MAX_LABEL = 200
MAX_FILENAME = 255
MAX_DEPTH = 16


def check_metadata(value: object) -> dict[str, Any]:
    """An object that can be stored, filtered and given back. Raises ``ParameterInvalid``."""
    if not isinstance(value, dict):
        raise ParameterInvalid("metadata", f"expected an object, got {kind_of(value)}")
    if _depth(value) > MAX_DEPTH:
        raise ParameterInvalid("metadata", f"an object may be {MAX_DEPTH} deep")
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError as exc:
        raise ParameterInvalid("metadata", "it holds text that is not valid Unicode") from exc
    except ValueError as exc:
        raise ParameterInvalid("metadata", "it holds a number that is too large") from exc
    if size > MAX_BYTES:
        raise ParameterInvalid("metadata", f"an object may take {MAX_BYTES:,} bytes")
    return value


def clean_name(name: str, limit: int) -> str | None:
    """A name that came with a file, without what cannot be printed; None when nothing is left."""
    kept = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    return kept[:limit] or None


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with ``changes``, as JSON Merge Patch (RFC 7396) has it; neither is altered."""
    new = dict(old)
    for key, value in changes.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, dict):
            inner = new.get(key)
            new[key] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            new[key] = value
    return new


def _depth(value: object) -> int:
    """How deep objects and lists lie in each other; counts without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def kind_of(value: object) -> str:
    """What JSON calls ``value``."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
