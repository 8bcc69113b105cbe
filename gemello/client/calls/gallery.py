"""Calls about the gallery's images."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from gemello.client import results
from gemello.client.calls.call import (
    Call,
    Filter,
    OnConflict,
    Picture,
    decoded_as,
    files_of,
    filter_text,
    form_fields,
    image_path,
)
from gemello.client.decoding import decode


class Unchanged(Enum):
    """The type of ``UNCHANGED``, which leaves a field as it is, where None takes it away."""

    UNCHANGED = "UNCHANGED"

    def __repr__(self) -> str:
        return self.name


UNCHANGED = Unchanged.UNCHANGED


def add(
    images: Sequence[Picture],
    names: Sequence[str] | None,
    lists: Mapping[str, Sequence[Any] | None],
    embeddings_model: str | None,
    on_conflict: OnConflict,
) -> Call[list[results.Item]]:
    """``lists`` are the form's fields with an entry for each image, such as ``ids``."""
    data = {name: json.dumps(list(each)) for name, each in lists.items() if each is not None}
    files = files_of("images", images)
    if names is not None:
        files = [
            (part, name, content) for (part, _, content), name in zip(files, names, strict=True)
        ]
    return Call(
        "POST",
        "/gallery",
        lambda answer: decode(results.ItemList, answer).items,
        data=form_fields(
            {**data, "on_conflict": on_conflict, "embeddings_model": embeddings_model}
        ),
        files=files,
        items=True,
    )


def page(
    limit: int, cursor: str | None, constraint: Filter | None, embeddings: bool
) -> Call[results.ImagePage]:
    options = {
        "limit": limit,
        "cursor": cursor,
        "filter": filter_text(constraint),
        "include": "embedding" if embeddings else None,
    }
    return Call("GET", "/gallery", decoded_as(results.ImagePage), form_fields(options))


def get(image_id: str) -> Call[results.Image]:
    return Call("GET", image_path(image_id), decoded_as(results.Image))


def content(image_id: str) -> Call[bytes]:
    return Call("GET", image_path(image_id, "image"), bytes, raw=True)


def thumbnail(image_id: str, size: int) -> Call[bytes]:
    return Call("GET", image_path(image_id, "thumbnail"), bytes, {"size": str(size)}, raw=True)


def update(
    image_id: str, label: str | Unchanged | None, metadata: Mapping[str, Any] | Unchanged
) -> Call[results.Image]:
    changes = {"label": label, "metadata": metadata}
    body = {name: value for name, value in changes.items() if value is not UNCHANGED}
    return Call("PATCH", image_path(image_id), decoded_as(results.Image), body=body)


def remove(image_id: str) -> Call[None]:
    return Call("DELETE", image_path(image_id), lambda _: None)


def remove_where(constraint: Filter) -> Call[int]:
    return Call(
        "DELETE",
        "/gallery",
        lambda answer: decode(results.RemoveAnswer, answer).removed,
        {"filter": json.dumps(constraint)},
    )


def stats() -> Call[results.Stats]:
    return Call("GET", "/stats", decoded_as(results.Stats))
