"""What goes over the wire: requests and answers, with examples for the documentation."""

from typing import Any, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

MAX_TOP_K = 1000
MAX_OFFSET = 2**53 - 1
"""The largest integer that JSON readers agree on."""


class _Form(BaseModel):
    """A form or query; a field that we do not know is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class SearchOptions(_Form):
    top_k: int = Field(10, ge=1, le=MAX_TOP_K, description="How many results to return.")
    offset: int = Field(
        0, ge=0, le=MAX_OFFSET, description="How many results to pass over first, to page."
    )


class SearchForm(SearchOptions):
    image: UploadFile = Field(description="The query image.")


class AddForm(_Form):
    images: list[UploadFile] = Field(description="The images; repeat the field for each.")
    ids: str | None = Field(
        None,
        description="JSON list of ids, one for each image; null takes the default, which comes "
        "from the SHA-256 of the bytes.",
        examples=['["sku-1", null]'],
    )
    labels: str | None = Field(
        None,
        description="JSON list of labels, one for each image.",
        examples=['["shoe", "hat"]'],
    )
    metadata: str | None = Field(
        None,
        description="JSON list of objects, one for each image.",
        examples=['[{"price": 5}, {}]'],
    )
    on_conflict: Literal["skip", "replace", "error"] = Field(
        "skip", description="What to do when an id is already there."
    )


class ListQuery(_Form):
    limit: int = Field(100, ge=1, le=MAX_TOP_K, description="Most images to return.")
    cursor: str | None = Field(
        None, max_length=40, description="`next_cursor` of the page before this one."
    )


class ThumbnailQuery(_Form):
    size: int = Field(256, ge=16, le=1024, description="Longer side in pixels.")


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


class Query(BaseModel):
    filename: str | None
    width: int
    height: int


class SearchAnswer(BaseModel):
    query: Query
    results: list[Result] = Field(description="Ascending by distance, ties by id.")
    total: int = Field(description="Images in the gallery.")
    offset: int
    next_offset: int | None = Field(description="Where the next page starts; null on the last.")
    model: ModelInfo
    took_ms: float


class ItemError(BaseModel):
    code: str = Field(examples=["image_undecodable"])
    detail: str
    status: int = Field(description="The HTTP status this file would have had alone.")


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
