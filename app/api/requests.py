"""What callers send: forms, queries and bodies, with examples for the documentation."""

from typing import Any, Literal, TypeVar

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

from app.bundle.model_store import NAME
from app.gallery.query import Options
from app.storage.filters import parse_filter

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
    match_false_alarms: float | None = Field(
        None,
        gt=0,
        le=0.5,
        allow_inf_nan=False,
        description="Of the queries that have no match, the part that may be told of one; as a rule "
        "the setting `GEMELLO_MATCH_FALSE_ALARMS`.",
    )
    filter: str | None = Field(
        None,
        description="JSON object that says which images to search: metadata keys, `label` and "
        "`filename`, each with a value or with `eq`, `ne`, `lt`, `lte`, `gt`, `gte`, `in`, `nin`, "
        "`exists`; joined by `and`, `or`, `not`. Applied before the nearest are taken.",
        examples=['{"stock": true, "price": {"gte": 5, "lt": 9}}'],
    )
    group_by: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="`label`, `filename` or a metadata key: only the nearest image of each value is "
        "returned; images without a value are all returned.",
        examples=["product"],
    )
    flip: bool = Field(False, description="Find mirror images, too.")
    include: list[Literal["embedding"]] = Field(
        [], description="What else to answer: `embedding` gives the vectors of query and results."
    )

    @property
    def embeddings(self) -> bool:
        return "embedding" in self.include

    def options(self) -> Options:
        """Return the domain's options. Raise ``ParameterInvalid`` when the filter is not one."""
        return Options(
            top_k=self.top_k,
            offset=self.offset,
            max_distance=self.max_distance,
            min_score=self.min_score,
            match_false_alarms=self.match_false_alarms,
            filter=parse_filter(self.filter) if self.filter is not None else None,
            group_by=self.group_by,
            embeddings=self.embeddings,
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
    match_false_alarms: float | None = Field(
        None,
        gt=0,
        le=0.5,
        allow_inf_nan=False,
        description="Of a hundred-image gallery's queries that have no match, the part that may be told of one; "
        "as a rule the setting `GEMELLO_MATCH_FALSE_ALARMS`.",
    )


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
        description="Id of the model that made `embeddings`; when another one answers here, the "
        "images are embedded again.",
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
        description="Folder below `GEMELLO_IMPORT_DIR`; its subfolders' names become labels.",
    )
    urls: str | None = Field(
        None,
        description="JSON list of addresses of images. Needs `GEMELLO_URL_IMPORT=1`.",
        examples=['["https://example.com/shoe.jpg"]'],
    )
    on_conflict: Literal["skip", "replace", "error"] = Field(
        "skip", description="What to do when an id is already there."
    )


class AdaptForm(_Form):
    name: str = Field(
        "adapted",
        pattern=f"^{NAME.pattern}$",
        description="Name to publish the new model by; it becomes the next version of it.",
    )
    force: bool = Field(
        False,
        description="Let the new model answer though labelled images find their like less well by it.",
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
    size: int = Field(
        256,
        ge=16,
        le=1024,
        description="Longer side in pixels; rounded up to 64, 128, 256, 512 or 1024.",
    )


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


T = TypeVar("T", bound=RankOptions)


def overridden(query: T, form: RankOptions) -> T:
    """Return ``query``'s options, each replaced where ``form`` gives it, too."""
    names = form.model_fields_set & set(type(query).model_fields)
    return query.model_copy(update={name: getattr(form, name) for name in names})
