"""What the service answers, as typed objects. Fields that a newer service adds are left out."""

from dataclasses import dataclass, field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Model:
    """The model that made an answer; ``id`` is the SHA-256 of its graph and preprocessing."""

    name: str
    version: str
    id: str


@dataclass(frozen=True, slots=True)
class PublishedModel(Model):
    """A model of the model store; ``active`` says whether it is the one that answers."""

    active: bool
    created: str
    dimension: int
    input_size: int
    backbone: str
    calibrated: bool
    metrics: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Image:
    """A stored image's record; the URLs are paths on the service."""

    id: str
    label: str | None
    filename: str | None
    metadata: dict[str, Any]
    width: int
    height: int
    media_type: str
    bytes: int
    created_at: str
    image_url: str
    thumbnail_url: str
    embedding: list[float] | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Result(Image):
    """A search result: rank from 1, Euclidean distance, probability of a match, verdict."""

    rank: int
    distance: float
    score: float | None
    match: bool | None
    group: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The image that was searched for."""

    filename: str | None
    width: int
    height: int
    id: str | None = None
    embedding: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Results ascending by distance. ``match`` says whether any is one; ``total`` what was searched."""

    query: Query
    results: list[Result]
    match: bool | None
    total: int
    offset: int
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class SearchAnswer(Page):
    model: Model
    took_ms: float


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one file of several was refused; ``status`` is what it would have had alone."""

    code: str
    detail: str
    status: int


@dataclass(frozen=True, slots=True)
class BatchItem:
    index: int
    answer: Page | None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    items: list[BatchItem]
    model: Model
    took_ms: float


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one file: created, replaced, skipped or failed."""

    index: int
    filename: str | None
    id: str | None
    status: str
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class EmbedItem:
    index: int
    filename: str | None
    embedding: list[float] | None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class EmbedAnswer:
    items: list[EmbedItem]
    dimension: int
    model: Model


@dataclass(frozen=True, slots=True)
class Comparison:
    distance: float
    score: float | None
    match: bool | None
    model: Model


@dataclass(frozen=True, slots=True)
class ImagePage:
    images: list[Image]
    total: int
    next_cursor: str | None
    model: Model


@dataclass(frozen=True, slots=True)
class Group:
    images: list[Image]


@dataclass(frozen=True, slots=True)
class Duplicates:
    groups: list[Group]
    total: int
    offset: int
    next_offset: int | None
    model: Model
    took_ms: float


@dataclass(frozen=True, slots=True)
class Stats:
    images: int
    searchable: int
    bytes: int
    labels: int
    media_types: dict[str, int]
    vectors: dict[str, int]
    oldest: str | None
    newest: str | None
    jobs: int
    model: Model


@dataclass(frozen=True, slots=True)
class JobError:
    item: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """Long work: ``state`` is queued, running, succeeded, failed or cancelled."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: str
    reason: str | None
    done: int
    total: int | None
    added: int
    failed: int
    created_at: str
    updated_at: str
    errors: list[JobError] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True)
class ServedModel(Model):
    dimension: int
    runtime: str


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    images: int


@dataclass(frozen=True, slots=True)
class Health:
    status: str
    version: str
    model: ServedModel
    gallery: GalleryInfo
    uptime_s: float


def parsed(kind: type[T], data: Any) -> T:
    """``data`` as ``kind``, a dataclass of this module. Raises ``ValueError`` when it is none."""
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, got {type(data).__name__}")
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    try:
        return kind(**{name: _value(hints[name], data[name]) for name in known & data.keys()})
    except TypeError as exc:
        raise ValueError(str(exc)) from exc


def _value(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) in (Union, UnionType):
        hint = next((kind for kind in get_args(hint) if is_dataclass(kind)), None)
    if get_origin(hint) is list and is_dataclass(get_args(hint)[0]):
        return [parsed(get_args(hint)[0], each) for each in value]
    return parsed(hint, value) if is_dataclass(hint) and isinstance(hint, type) else value
