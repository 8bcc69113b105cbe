"""A call of the API, and what its parameters are made of."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from gemello.client.decoding import decode
from gemello.image_folder import shown

T = TypeVar("T")
Filter = Mapping[str, Any]
"""Which images, as JSON: metadata keys, ``label`` and ``filename`` with values or operators."""
Picture = Path | bytes
"""An image to upload; where a stored one will do, too, its id is given as ``str``."""
OnConflict = Literal["skip", "replace", "error"]
"""What to do with an image whose id is already there."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and ``parse`` for the JSON of its answer (None without any); ``raw``: its bytes.

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


def form_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as a form takes them, without those that are not set."""
    return {
        name: value if isinstance(value, list) else str(value)
        for name, value in options.items()
        if value is not None and value != []
    }


def filter_text(constraint: Filter | None) -> str | None:
    """Return a filter as the service reads it."""
    return None if constraint is None else json.dumps(constraint)


def files_of(name: str, images: Sequence[Picture | str]) -> list[tuple[str, str, Picture]]:
    """Return the images to upload, as ``Call.files``; those named by id are left out."""
    return [
        (name, "image" if isinstance(image, bytes) else shown(image.name), image)
        for image in images
        if not isinstance(image, str)
    ]


def image_path(image_id: str, *more: str) -> str:
    """Return the path of a stored image on the service, whatever its id is made of."""
    return "/".join(["/gallery", quote(image_id, safe=""), *more])


def decoded_as(kind: type[T]) -> Callable[[Any], T]:
    """Return a parser of answers that are a ``kind``; it raises ``ValueError`` for any other."""
    return lambda answer: decode(kind, answer)
