"""Every call of the API: what is sent, and what its answer becomes. Sends nothing itself.

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


def health() -> Call[results.Health]:
    """The service's state. Raises ``ApiError`` with status 503 until it is ready."""
    return Call("GET", "/health", _as(results.Health), retry=False)


def search(
    *like: Picture | str,
    top_k: int = 10,
    offset: int = 0,
    max_distance: float | None = None,
    min_score: float | None = None,
    filter: Filter | None = None,  # noqa: A002
    group_by: str | None = None,
    flip: bool = False,
    box: tuple[float, float, float, float] | None = None,
    combine: str = "best",
    unlike: Sequence[Picture | str] = (),
    embeddings: bool = False,
) -> Call[results.SearchAnswer]:
    """The gallery sorted by distance from one image or several, which are not stored.

    Each result has ``distance``, ``score`` (probability of a match) and ``match`` (whether it is
    near enough to be called one); both are None with a model that is not calibrated. ``match`` of
    the whole answer is False when nothing in the gallery is one.
    """
    options = {
        **_ranking(top_k, offset, max_distance, min_score, filter, group_by, flip, embeddings),
        "combine": combine,
        "box": None if box is None else ",".join(map(str, box)),
        "id": [image for image in like if isinstance(image, str)],
        "unlike_id": [image for image in unlike if isinstance(image, str)],
    }
    files = [*_files("image", like), *_files("unlike", unlike)]
    return Call("POST", "/search", _as(results.SearchAnswer), data=_given(options), files=files)


def search_batch(
    images: Sequence[Picture],
    *,
    top_k: int = 10,
    offset: int = 0,
    max_distance: float | None = None,
    min_score: float | None = None,
    filter: Filter | None = None,  # noqa: A002
    group_by: str | None = None,
    flip: bool = False,
    embeddings: bool = False,
) -> Call[results.BatchAnswer]:
    """A search for each image; a file that is no image is an item with an error."""
    options = _ranking(top_k, offset, max_distance, min_score, filter, group_by, flip, embeddings)
    return Call(
        "POST",
        "/search/batch",
        _as(results.BatchAnswer),
        data=_given(options),
        files=_files("images", images),
    )


def similar(
    image_id: str,
    *,
    top_k: int = 10,
    offset: int = 0,
    max_distance: float | None = None,
    min_score: float | None = None,
    filter: Filter | None = None,  # noqa: A002
    group_by: str | None = None,
    flip: bool = False,
    embeddings: bool = False,
) -> Call[results.SearchAnswer]:
    """The gallery sorted by distance from a stored image, which is itself left out."""
    options = _ranking(top_k, offset, max_distance, min_score, filter, group_by, flip, embeddings)
    return Call("GET", _image(image_id, "similar"), _as(results.SearchAnswer), _given(options))


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
    files = _files("images", images)
    if names is not None:
        files = [(part, name, what) for (part, _, what), name in zip(files, names, strict=True)]
    return Call(
        "POST",
        "/gallery",
        lambda answer: [results.parsed(results.Item, item) for item in _key(answer, "items")],
        data=_given({**data, "on_conflict": on_conflict, "embeddings_model": embeddings_model}),
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
    options = {"limit": limit, "cursor": cursor, "filter": _filter(filter), "include": include}
    return Call("GET", "/gallery", _as(results.ImagePage), _given(options))


def get(image_id: str) -> Call[results.Image]:
    """One image's record."""
    return Call("GET", _image(image_id), _as(results.Image))


def content(image_id: str) -> Call[bytes]:
    """An image's bytes, as they were uploaded."""
    return Call("GET", _image(image_id, "image"), bytes, raw=True)


def thumbnail(image_id: str, *, size: int = 256) -> Call[bytes]:
    """A small picture of an image, its longer side ``size`` pixels, as WebP."""
    return Call("GET", _image(image_id, "thumbnail"), bytes, {"size": str(size)}, raw=True)


def update(image_id: str, **changes: Any) -> Call[results.Image]:
    """Change ``label`` and ``metadata``, where given; metadata are merged, None takes a key away."""
    return Call("PATCH", _image(image_id), _as(results.Image), body=changes)


def remove(image_id: str) -> Call[None]:
    """Remove an image from the gallery."""
    return Call("DELETE", _image(image_id), lambda _: None)


def remove_where(filter: Filter) -> Call[int]:  # noqa: A002
    """Remove all images that a filter names, ``{}`` all there are; how many went."""
    params = {"filter": json.dumps(filter)}
    return Call("DELETE", "/gallery", lambda answer: int(_key(answer, "removed")), params)


def embed(images: Sequence[Picture]) -> Call[results.EmbedAnswer]:
    """The embedding of each image; a file that is no image is an item with an error."""
    return Call("POST", "/embed", _as(results.EmbedAnswer), files=_files("images", images))


def compare(first: Picture | str, second: Picture | str) -> Call[results.Comparison]:
    """How alike two images are, uploaded or stored."""
    images = (first, second)
    ids = [image for image in images if isinstance(image, str)]
    return Call(
        "POST",
        "/compare",
        _as(results.Comparison),
        data=_given({"id": ids}),
        files=_files("images", images),
    )


def duplicates(
    *, max_distance: float = 0.25, limit: int = 100, offset: int = 0
) -> Call[results.Duplicates]:
    """Groups of near-duplicates, joined by steps no longer than ``max_distance``."""
    params = _given({"max_distance": max_distance, "limit": limit, "offset": offset})
    return Call("GET", "/duplicates", _as(results.Duplicates), params)


def stats() -> Call[results.Stats]:
    """Counts over the whole gallery."""
    return Call("GET", "/stats", _as(results.Stats))


def import_archive(archive: Picture, *, on_conflict: str = "skip") -> Call[results.Job]:
    """Begin to add the images of a zip archive."""
    data = {"on_conflict": on_conflict}
    return Call(
        "POST",
        "/gallery/import",
        _as(results.Job),
        data=data,
        files=_files("archive", [archive]),
    )


def import_folder(folder: str, *, on_conflict: str = "skip") -> Call[results.Job]:
    """Begin to add a folder of the service's machine, below its GEMELLO_IMPORT_DIR."""
    data = {"folder": folder, "on_conflict": on_conflict}
    return Call("POST", "/gallery/import", _as(results.Job), data=data)


def import_urls(urls: Sequence[str], *, on_conflict: str = "skip") -> Call[results.Job]:
    """Begin to add images from the web, where the service's settings allow it."""
    data = {"urls": json.dumps(list(urls)), "on_conflict": on_conflict}
    return Call("POST", "/gallery/import", _as(results.Job), data=data)


def jobs() -> Call[list[results.Job]]:
    """The jobs that are kept, the newest first."""
    return Call(
        "GET",
        "/jobs",
        lambda answer: [results.parsed(results.Job, job) for job in _key(answer, "jobs")],
    )


def job(job_id: str) -> Call[results.Job]:
    """How far a job is, and what failed."""
    return Call("GET", f"/jobs/{quote(job_id, safe='')}", _as(results.Job))


def cancel(job_id: str) -> Call[results.Job]:
    """Stop a job; what it has done stays done."""
    return Call("POST", f"/jobs/{quote(job_id, safe='')}/cancel", _as(results.Job))


def models() -> Call[list[results.PublishedModel]]:
    """The published models."""
    return Call(
        "GET",
        "/models",
        lambda answer: [
            results.parsed(results.PublishedModel, each) for each in _key(answer, "models")
        ],
    )


def activate(name: str, version: str) -> Call[results.Job]:
    """Begin to let another model answer; the old one does until all images are embedded."""
    path = f"/models/{quote(name, safe='')}/{quote(version, safe='')}/activate"
    return Call("POST", path, _as(results.Job))


def _ranking(
    top_k: int,
    offset: int,
    max_distance: float | None,
    min_score: float | None,
    wanted: Filter | None,
    group_by: str | None,
    flip: bool,
    embeddings: bool,
) -> dict[str, Any]:
    return {
        "top_k": top_k,
        "offset": offset,
        "max_distance": max_distance,
        "min_score": min_score,
        "filter": _filter(wanted),
        "group_by": group_by,
        "flip": "true" if flip else None,
        "include": "embedding" if embeddings else None,
    }


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a form takes them, without those that are not set."""
    return {
        name: value if isinstance(value, list) else str(value)
        for name, value in options.items()
        if value is not None and value != []
    }


def _filter(wanted: Filter | None) -> str | None:
    return None if wanted is None else json.dumps(wanted)


def _files(name: str, images: Sequence[Picture | str]) -> list[tuple[str, str, Picture]]:
    return [
        (name, "image" if isinstance(image, bytes) else _shown(image), image)
        for image in images
        if not isinstance(image, str)
    ]


def _shown(path: Path) -> str:
    """A file's name as valid Unicode, which on Linux it need not be."""
    return os.fsencode(path.name).decode(errors="replace")


def _image(image_id: str, *more: str) -> str:
    return "/".join(["/gallery", quote(image_id, safe=""), *more])


def _as(kind: type[T]) -> Callable[[Any], T]:
    return lambda answer: results.parsed(kind, answer)


def _key(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise ValueError(f"the answer has no {name!r}")
    return answer[name]
