"""What the service answers, as typed objects; a test holds them to ``docs/openapi.json``.

Each field is checked when an answer is read. Fields that a newer service adds are left out.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from gemello.client.models import BaseModel as BaseModel  # noqa: PLC0414
from gemello.client.models import Model as Model  # noqa: PLC0414
from gemello.client.models import PublishedModel as PublishedModel  # noqa: PLC0414
from gemello.client.models import ServedModel as ServedModel  # noqa: PLC0414

Scalar = str | int | float | bool


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
    """Results ascending by distance. ``match`` says whether any is one; ``total`` what was searched.

    ``calibration``: the verdicts rest on this gallery, or on what the model was validated with.
    """

    query: Query
    results: list[Result]
    match: bool | None
    calibration: Literal["gallery", "model"] | None
    total: int
    offset: int
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class SearchAnswer(Page):
    """A page of results, and the model that gave them in ``took_ms`` milliseconds."""

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
    """The results of one query image; ``answer`` is None when the file is not an image."""

    index: int
    answer: Page | None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """A page of results for each query image, in order."""

    items: list[BatchItem]
    model: Model
    took_ms: float


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one file; ``error`` says why it failed."""

    index: int
    filename: str | None
    id: str | None
    status: Literal["created", "replaced", "skipped", "failed"]
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class EmbedItem:
    """One image's vector; ``embedding`` is None when the file is not an image."""

    index: int
    filename: str | None
    embedding: list[float] | None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class EmbedAnswer:
    """Vectors of ``dimension`` numbers and unit length, one for each image, in order."""

    items: list[EmbedItem]
    dimension: int
    model: Model


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two images are: Euclidean distance, probability of a match, verdict."""

    distance: float
    score: float | None
    match: bool | None
    calibration: Literal["gallery", "model"] | None
    model: Model


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Records in order of arrival; ``total`` of them in all, ``next_cursor`` None on the last page."""

    images: list[Image]
    total: int
    next_cursor: str | None
    model: Model


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are near-duplicates of each other: the first of them where the group is ``truncated``."""

    images: list[Image]
    size: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of near-duplicates, the largest first; ``total`` of them in all."""

    groups: list[Group]
    total: int
    offset: int
    next_offset: int | None
    model: Model
    took_ms: float


@dataclass(frozen=True, slots=True)
class Damage:
    """A stored thing that is not what was written, and could not be mended."""

    kind: Literal["database", "journal", "record", "vector", "image"]
    item: str
    problem: str


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over the whole gallery; ``vectors`` by model id, ``jobs`` that have not ended.

    ``damaged`` is how many stored things were found damaged, at ``checked_at`` or since; ``damage``
    has the first of them, and ``quarantined`` counts the files that were set aside.
    """

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
    quarantined: int
    damaged: int
    damage: list[Damage]
    mended: int
    checked_at: str | None


@dataclass(frozen=True, slots=True)
class JobError:
    """Why one item of a job failed: an image's id, a file's path or an address."""

    item: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """Long work of the service: ``done`` of ``total`` items, ``added`` of them new images."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    reason: str | None
    done: int
    total: int | None
    added: int
    failed: int
    created_at: str
    updated_at: str

    @property
    def finished(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobDetails(Job):
    """A job, and what failed by item: the first thousand."""

    errors: list[JobError]


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """How many images are stored, and how many stored things were found damaged."""

    images: int
    damaged: int


@dataclass(frozen=True, slots=True)
class Health:
    """A service that is ready."""

    status: Literal["ok"]
    version: str
    model: ServedModel
    gallery: GalleryInfo
    uptime_s: float


@dataclass(frozen=True, slots=True)
class ItemList:
    """What became of each file, in order; also where the service refused them all."""

    items: list[Item]


@dataclass(frozen=True, slots=True)
class RemoveAnswer:
    """How many images were removed."""

    removed: int


@dataclass(frozen=True, slots=True)
class JobList:
    """Jobs, the newest first."""

    jobs: list[Job]


@dataclass(frozen=True, slots=True)
class ModelList:
    """The published models."""

    models: list[PublishedModel]
