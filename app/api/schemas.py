"""What goes over the wire: requests and answers, with examples for the documentation."""

from typing import Any, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

MAX_TOP_K = 1000
MAX_OFFSET = 2**53 - 1
"""The largest integer that JSON readers agree on."""
MAX_DISTANCE = 1e6
"""Beyond any distance between embeddings, and far from where its square overflows."""


class _Form(BaseModel):
    """A form or query; a field that we do not know is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class RankOptions(_Form):
    """Which part of the ranking to answer."""

    top_k: int = Field(10, ge=1, le=MAX_TOP_K, description="How many results to return.")
    offset: int = Field(
        0, ge=0, le=MAX_OFFSET, description="How many results to pass over first, to page."
    )
    max_distance: float | None = Field(
        None,
        ge=0,
        le=MAX_DISTANCE,
        allow_inf_nan=False,
        description="Leave out what is farther away.",
    )
    min_score: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Leave out what is a match with a lower probability. Needs a calibrated model.",
    )
    filter: str | None = Field(
        None,
        description="JSON object that says which images may be found: metadata keys, `label` and "
        "`filename`, each with a value or with `eq`, `ne`, `lt`, `lte`, `gt`, `gte`, `in`, `nin`, "
        "`exists`; joined by `and`, `or`, `not`. Applied before the nearest are taken.",
        examples=['{"stock": true, "price": {"gte": 5, "lt": 9}}'],
    )
    group_by: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="`label`, `filename` or a metadata key: only the nearest image of each value is "
        "answered. Images without a value are answered each.",
        examples=["product"],
    )
    flip: bool = Field(False, description="Find mirror images, too.")
    include: list[Literal["embedding"]] = Field(
        [], description="What else to answer: `embedding` gives the vectors of query and results."
    )


class SearchOptions(RankOptions):
    combine: Literal["best", "mean"] = Field(
        "best",
        description="Of several query images: `best` takes a result's distance from the nearest "
        "of them, `mean` that from their average.",
    )
    box: str | None = Field(
        None,
        max_length=100,
        description="`x1,y1,x2,y2` in 0–1: look at this part of the query image alone.",
        examples=["0.25,0.1,0.75,0.9"],
    )


class SearchForm(SearchOptions):
    image: list[UploadFile] = Field([], description="The query image; repeat it for several.")
    id: list[str] = Field([], description="Id of a stored image to search like.")
    unlike: list[UploadFile] = Field(
        [],
        description="Images to stay away from: what is nearer to one of them than to the query is "
        "left out.",
    )
    unlike_id: list[str] = Field([], description="The same, by the id of a stored image.")


class BatchForm(RankOptions):
    images: list[UploadFile] = Field(
        min_length=1, description="The query images; each gets its own results."
    )


class EmbedForm(_Form):
    images: list[UploadFile] = Field(
        min_length=1, description="The images; repeat the field for each."
    )


class CompareForm(_Form):
    images: list[UploadFile] = Field([], description="The images to compare.")
    id: list[str] = Field([], description="Ids of stored images to compare; two images in all.")


class AddForm(_Form):
    images: list[UploadFile] = Field(
        min_length=1, description="The images; repeat the field for each."
    )
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
    embeddings: str | None = Field(
        None,
        description="JSON list of vectors that `embeddings_model` made, one for each image; null "
        "embeds it here. For moving a gallery.",
    )
    embeddings_model: str | None = Field(
        None,
        max_length=64,
        description="Id of the model that made `embeddings`; another one than answers here embeds "
        "the images anew.",
    )
    on_conflict: Literal["skip", "replace", "error"] = Field(
        "skip", description="What to do when an id is already there."
    )


class FilterQuery(_Form):
    filter: str = Field(
        description="JSON object that says which images; `{}` means all.",
        examples=['{"stock": false}'],
    )


class ImportForm(_Form):
    """One of ``archive``, ``folder`` and ``urls``."""

    archive: UploadFile | None = Field(
        None, description="A zip archive of images; its folders' names become labels."
    )
    folder: str | None = Field(
        None,
        max_length=1000,
        description="Folder below the setting IMPORT_DIR; its subfolders' names become labels.",
    )
    urls: str | None = Field(
        None,
        description="JSON list of addresses of images. Needs the setting URL_IMPORT.",
        examples=['["https://example.com/shoe.jpg"]'],
    )
    on_conflict: Literal["skip", "replace", "error"] = Field(
        "skip", description="What to do when an id is already there."
    )


class ListQuery(_Form):
    filter: str | None = Field(
        None,
        description="JSON object that says which images, as in a search.",
        examples=['{"label": "shoe"}'],
    )
    include: list[Literal["embedding"]] = Field(
        [], description="What else to answer: `embedding` gives the vectors."
    )
    limit: int = Field(100, ge=1, le=MAX_TOP_K, description="Most images to return.")
    cursor: str | None = Field(
        None, pattern="^[0-9]{1,15}$", description="`next_cursor` of the page before this one."
    )


class Changes(BaseModel):
    """What to change; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(None, description="The new label; null takes it away.")
    metadata: dict[str, Any] = Field(
        {},
        description="Merged into what is there (RFC 7396): null takes a key away.",
        examples=[{"price": 6, "sale": None}],
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


class DuplicatesQuery(_Form):
    max_distance: float = Field(
        0.25,
        ge=0,
        le=MAX_DISTANCE,
        allow_inf_nan=False,
        description="Images are joined by steps no longer than this.",
    )
    limit: int = Field(100, ge=1, le=MAX_TOP_K, description="Most groups to return.")
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="How many groups to pass over first.")


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
