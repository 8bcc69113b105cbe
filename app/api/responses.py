"""What the service answers, with examples for the documentation."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class ModelInfo(BaseModel):
    name: str = Field(examples=["default"])
    version: str = Field(examples=["1"])
    id: str = Field(description="SHA-256 of the serving graph and its preprocessing.")


class Image(BaseModel):
    id: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015"])
    label: str | None = Field(examples=["panda-face"])
    filename: str | None = Field(examples=["panda.png"])
    metadata: dict[str, Any]
    width: int
    height: int
    media_type: str = Field(examples=["image/png"])
    bytes: int
    created_at: str = Field(examples=["2026-01-31T12:00:00+00:00"])
    image_url: str
    thumbnail_url: str
    embedding: list[float] | None = Field(None, description="With `include=embedding`.")


class Result(Image):
    rank: int = Field(description="1 is the nearest.")
    distance: float = Field(description="Euclidean distance between the embeddings.")
    score: float | None = Field(
        description="Probability of a match, from the model's calibration; null without one."
    )
    match: bool | None = Field(
        description="Whether the distance is within the model's threshold for a match, which one "
        "in a hundred unrelated pairs passes; null without a calibration."
    )
    group: str | int | float | bool | None = Field(
        None, description="The value of `group_by` that this image stands for."
    )


class Query(BaseModel):
    id: str | None = Field(None, description="The stored image's id, where it was named.")
    filename: str | None
    width: int
    height: int
    embedding: list[float] | None = Field(None, description="With `include=embedding`.")


class Page(BaseModel):
    query: Query = Field(description="The image that was searched for; the first of several.")
    results: list[Result] = Field(description="Ascending by distance, ties by id.")
    match: bool | None = Field(
        description="Whether anything in the ranking is a match; false when nothing is left of it, "
        "null without a calibration."
    )
    total: int = Field(description="Images that were searched: those that the filter allows.")
    offset: int
    next_offset: int | None = Field(description="Where the next page starts; null on the last.")


class SearchAnswer(Page):
    model: ModelInfo
    took_ms: float


class ItemError(BaseModel):
    code: str = Field(examples=["image_undecodable"])
    detail: str
    status: int = Field(description="The HTTP status this file would have had alone.")


class BatchItem(BaseModel):
    index: int = Field(description="Place of the file in the request, from 0.")
    answer: Page | None = Field(description="Null when the file is no image.")
    error: ItemError | None = None


class BatchAnswer(BaseModel):
    items: list[BatchItem]
    model: ModelInfo
    took_ms: float


class EmbedItem(BaseModel):
    index: int = Field(description="Place of the file in the request, from 0.")
    filename: str | None
    embedding: list[float] | None = Field(description="Null when the file is no image.")
    error: ItemError | None = None


class EmbedAnswer(BaseModel):
    items: list[EmbedItem]
    dimension: int
    model: ModelInfo


class Comparison(BaseModel):
    distance: float = Field(description="Euclidean distance between the embeddings.")
    score: float | None = Field(
        description="Probability of a match, from the model's calibration; null without one."
    )
    match: bool | None = Field(description="Whether the distance is within the threshold.")
    model: ModelInfo


class Item(BaseModel):
    index: int = Field(description="Place of the file in the request, from 0.")
    filename: str | None
    id: str | None
    status: Literal["created", "replaced", "skipped", "failed"]
    error: ItemError | None = None


class AddAnswer(BaseModel):
    items: list[Item]
    created: int
    replaced: int
    skipped: int
    failed: int


class ListAnswer(BaseModel):
    images: list[Image]
    total: int
    next_cursor: str | None
    model: ModelInfo = Field(description="What made the vectors.")


class Removed(BaseModel):
    removed: int


class Model(ModelInfo):
    active: bool = Field(description="Whether it is the one that answers.")
    created: str
    dimension: int
    input_size: int
    backbone: str = Field(examples=["efficientnet_lite0"])
    calibrated: bool = Field(description="Whether its results have scores.")
    metrics: dict[str, float] | None = Field(
        description="Retrieval figures of the published model on its test classes."
    )


class ModelsAnswer(BaseModel):
    models: list[Model]


class JobError(BaseModel):
    item: str = Field(description="What failed: an image's id, a file's path, an address.")
    code: str = Field(examples=["image_undecodable"])
    detail: str


class Job(BaseModel):
    id: str
    kind: str = Field(examples=["activate_model"])
    arguments: dict[str, Any] = Field(examples=[{"model": "default/2"}])
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    reason: str | None = Field(description="Why the job as a whole failed.")
    done: int = Field(description="Items that are done, failed ones included.")
    total: int | None = Field(description="Items in all; null until they are counted.")
    added: int = Field(description="Images that are new in the gallery.")
    failed: int
    created_at: str
    updated_at: str


class JobAnswer(Job):
    errors: list[JobError] = Field(description="What failed, by item; the first thousand.")


class JobsAnswer(BaseModel):
    jobs: list[Job] = Field(description="The newest first.")


class Group(BaseModel):
    images: list[Image]


class DuplicatesAnswer(BaseModel):
    groups: list[Group] = Field(description="The largest first.")
    total: int = Field(description="Groups in all.")
    offset: int
    next_offset: int | None = Field(description="Where the next page starts; null on the last.")
    model: ModelInfo
    took_ms: float


class Stats(BaseModel):
    images: int
    searchable: int = Field(description="Images in the index; fewer when files are damaged.")
    bytes: int = Field(description="Of all image files as they were uploaded.")
    labels: int = Field(description="Different labels.")
    media_types: dict[str, int] = Field(examples=[{"image/jpeg": 12}])
    vectors: dict[str, int] = Field(description="Stored vectors by model id.")
    oldest: str | None
    newest: str | None
    jobs: int = Field(description="Jobs that are not done yet.")
    model: ModelInfo


class GalleryInfo(BaseModel):
    images: int


class HealthModel(ModelInfo):
    dimension: int
    runtime: str


class Health(BaseModel):
    status: Literal["ok"]
    version: str
    model: HealthModel
    gallery: GalleryInfo
    uptime_s: float


class Live(BaseModel):
    status: Literal["ok"]


class Problem(BaseModel):
    """RFC 9457; `code` is stable, `detail` is for people."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    code: str
    request_id: str
