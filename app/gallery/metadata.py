"""An image's metadata: a JSON object of bounded size and depth."""

import json
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from app.errors import ParameterInvalid
from app.storage.facts import facts_of

MAX_BYTES = 16_384
MAX_LABEL = 200
MAX_FILENAME = 255
MAX_DEPTH = 16
MAX_FACTS_BYTES = 65_536
"""Of what filters are answered from: each value with all the keys that lead to it."""


def check_metadata(value: object) -> dict[str, Any]:
    """Return ``value``, an object that can be stored and filtered. Raises ``ParameterInvalid``."""
    if not isinstance(value, dict):
        raise ParameterInvalid("metadata", f"expected an object, got {kind_of(value)}")
    for depth, level in enumerate(_levels(value), start=1):
        if depth > MAX_DEPTH:
            raise ParameterInvalid("metadata", f"at most {MAX_DEPTH} levels are allowed")
        if any(isinstance(part, int) and abs(part) > sys.float_info.max for part in level):
            raise ParameterInvalid("metadata", "it contains a number that is too large")
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError as exc:
        raise ParameterInvalid("metadata", "it contains text that is not valid Unicode") from exc
    except ValueError as exc:
        raise ParameterInvalid("metadata", "it contains a number that is too large") from exc
    if size > MAX_BYTES:
        raise ParameterInvalid("metadata", f"an object must be at most {MAX_BYTES:,} bytes")
    facts = facts_of(None, None, value)
    if sum(len(key) + len(str(fact)) for key, fact in facts) > MAX_FACTS_BYTES:
        raise ParameterInvalid("metadata", "its keys are too long for so many values")
    return value


def clean_name(name: str, limit: int) -> str | None:
    """Return a file's name without what cannot be printed; None when nothing is left."""
    printable = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    return printable[:limit] or None


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` with ``changes``, a JSON Merge Patch (RFC 7396); neither is altered."""
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


def _levels(value: object) -> Iterator[list[object]]:
    """Yield ``value``, then what lies in it, then what lies in that: without recursion."""
    level = [value]
    while level:
        yield level
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]


def kind_of(value: object) -> str:
    """Return what JSON calls ``value``."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
