"""Calls about the gallery's images."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gemello.client import results
from gemello.client.call import (
    Call,
    Filter,
    Picture,
    files_of,
    filter_text,
    given,
    image_path,
    key_of,
    parsed_as,
)


def add(
    images: Sequence[Picture],
    *,
    ids: Sequence[str | None] | None = None,
    labels: Sequence[str | None] | None = None,
    metadata: Sequence[Mapping[str, Any] | None] | None = None,
    embeddings: Sequence[Sequence[float] | None] | None = None,
    embeddings_model: str | None = None,
    names: Sequence[str] | None = None,
    on_conflict: str = "skip",
) -> Call[list[results.Item]]:
    """Store images; one item for each, whose ``status`` and ``error`` say what became of it.

    Files that are refused do not raise; a request that is refused as a whole does. ``embeddings``
    that the model ``embeddings_model`` made are kept, where the service has the same model.
    ``names`` are shown instead of the files' own.
    """
    lists = {"ids": ids, "labels": labels, "metadata": metadata, "embeddings": embeddings}
    data = {name: json.dumps(list(v)) for name, v in lists.items() if v is not None}
    files = files_of("images", images)
    if names is not None:
        files = [(part, name, what) for (part, _, what), name in zip(files, names, strict=True)]
    return Call(
        "POST",
        "/gallery",
        lambda answer: [results.parsed(results.Item, item) for item in key_of(answer, "items")],
        data=given({**data, "on_conflict": on_conflict, "embeddings_model": embeddings_model}),
        files=files,
        items=True,
    )


def page(
    *,
    limit: int = 100,
    cursor: str | None = None,
    filter: Filter | None = None,  # noqa: A002
    embeddings: bool = False,
) -> Call[results.ImagePage]:
    """Records in order of arrival; ``next_cursor`` leads to more."""
    include = "embedding" if embeddings else None
    options = {"limit": limit, "cursor": cursor, "filter": filter_text(filter), "include": include}
    return Call("GET", "/gallery", parsed_as(results.ImagePage), given(options))


def get(image_id: str) -> Call[results.Image]:
    """One image's record."""
    return Call("GET", image_path(image_id), parsed_as(results.Image))


def content(image_id: str) -> Call[bytes]:
    """An image's bytes, as they were uploaded."""
    return Call("GET", image_path(image_id, "image"), bytes, raw=True)


def thumbnail(image_id: str, *, size: int = 256) -> Call[bytes]:
    """A small picture of an image, its longer side ``size`` pixels, as WebP."""
    return Call("GET", image_path(image_id, "thumbnail"), bytes, {"size": str(size)}, raw=True)


def update(image_id: str, **changes: Any) -> Call[results.Image]:
    """Change ``label`` and ``metadata``, where given; metadata are merged, None takes a key away."""
    return Call("PATCH", image_path(image_id), parsed_as(results.Image), body=changes)


def remove(image_id: str) -> Call[None]:
    """Remove an image from the gallery."""
    return Call("DELETE", image_path(image_id), lambda _: None)


def remove_where(filter: Filter) -> Call[int]:  # noqa: A002
    """Remove all images that a filter names, ``{}`` all there are; how many went."""
    params = {"filter": json.dumps(filter)}
    return Call("DELETE", "/gallery", lambda answer: int(key_of(answer, "removed")), params)


def stats() -> Call[results.Stats]:
    """Counts over the whole gallery."""
    return Call("GET", "/stats", parsed_as(results.Stats))
