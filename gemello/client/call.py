"""A call of the API: what is sent, and what its answer becomes. Sends nothing itself.

Images are given as a path, as bytes, or, where an id will do, as the ``str`` of a stored image.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from gemello.client import results

T = TypeVar("T")
Filter = Mapping[str, Any]
Picture = Path | bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and ``parse`` for the JSON of its answer (None when it is none); ``raw``: its bytes.

    ``files`` are (field, file name, content). With ``items`` an answer that refuses every file is no
    error: its items say why. Without ``retry`` a busy service is an error at once.
    """

    method: str
    path: str
    parse: Callable[[Any], T]
    params: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    files: Sequence[tuple[str, str, Picture]] = ()
    items: bool = False
    raw: bool = False
    retry: bool = True


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a form takes them, without those that are not set."""
    return {
        name: value if isinstance(value, list) else str(value)
        for name, value in options.items()
        if value is not None and value != []
    }


def filter_text(wanted: Filter | None) -> str | None:
    """A filter as the service reads it."""
    return None if wanted is None else json.dumps(wanted)


def files_of(name: str, images: Sequence[Picture | str]) -> list[tuple[str, str, Picture]]:
    """The images to upload, as ``Call.files``; those named by id are left out."""
    return [
        (name, "image" if isinstance(image, bytes) else _shown(image), image)
        for image in images
        if not isinstance(image, str)
    ]


def image_path(image_id: str, *more: str) -> str:
    """Where a stored image is, whatever its id is made of."""
    return "/".join(["/gallery", quote(image_id, safe=""), *more])


def parsed_as(kind: type[T]) -> Callable[[Any], T]:
    """How an answer becomes a ``kind``. Raises ``ValueError`` when it is none."""
    return lambda answer: results.parsed(kind, answer)


def key_of(answer: Any, name: str) -> Any:
    """``answer[name]``. Raises ``ValueError`` when it is not there."""
    if not isinstance(answer, dict) or name not in answer:
        raise ValueError(f"the answer has no {name!r}")
    return answer[name]


def _shown(path: Path) -> str:
    """A file's name as valid Unicode, which on Linux it need not be."""
    return os.fsencode(path.name).decode(errors="replace")
