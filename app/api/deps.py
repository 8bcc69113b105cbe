"""What routes ask for: the service, and the pieces of a form that need checking."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, UploadFile

from app.errors import ParameterInvalid
from app.service import Service

MAX_ID = 200
MAX_LABEL = 200
MAX_FILENAME = 255
MAX_METADATA_BYTES = 16_384

T = TypeVar("T")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]


def read_upload(upload: UploadFile, limit: int) -> bytes:
    """The file's bytes, but no more than one beyond ``limit``: enough to be refused by size."""
    return upload.file.read(limit + 1)


def clean_filename(upload: UploadFile) -> str | None:
    """The last part of the name that the caller gave: for show only, never a path."""
    name = PurePosixPath((upload.filename or "").replace("\\", "/")).name
    kept = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    return kept[:MAX_FILENAME] or None


def parse_ids(text: str | None, count: int) -> list[str | None]:
    return _aligned("ids", text, count, check_id)


def parse_labels(text: str | None, count: int) -> list[str | None]:
    return _aligned("labels", text, count, _check_label)


def parse_metadata(text: str | None, count: int) -> list[dict[str, Any]]:
    parsed = _aligned("metadata", text, count, _check_metadata)
    return [value or {} for value in parsed]


def check_id(value: object, name: str = "ids") -> str:
    """An id stands in a URL's path, so a slash and what cannot be printed are refused."""
    text = _check_text(value, name, MAX_ID)
    if not text or "/" in text or text in {".", ".."}:
        raise ParameterInvalid(name, "an id must not be empty, '.', '..' or hold a slash")
    return text


def _check_label(value: object) -> str:
    return _check_text(value, "labels", MAX_LABEL)


def _check_metadata(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParameterInvalid("metadata", f"expected an object, got {_kind(value)}")
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except (UnicodeEncodeError, RecursionError) as exc:
        raise ParameterInvalid("metadata", "it holds text that is not valid Unicode") from exc
    if size > MAX_METADATA_BYTES:
        raise ParameterInvalid("metadata", f"an object may take {MAX_METADATA_BYTES:,} bytes")
    return value


def _check_text(value: object, name: str, limit: int) -> str:
    if not isinstance(value, str):
        raise ParameterInvalid(name, f"expected text or null, got {_kind(value)}")
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
        raise ParameterInvalid(name, f"expected a JSON list, got {_kind(values)}")
    _check_aligned(name, values, count)
    return [None if value is None else check(value) for value in values]


def _check_aligned(name: str, values: Sequence[object], count: int) -> None:
    if len(values) != count:
        raise ParameterInvalid(name, f"{len(values)} entries for {count} images; send one for each")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
