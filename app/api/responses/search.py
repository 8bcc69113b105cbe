"""The gallery in order of distance, and what else a model says of uploaded images."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from app.api.responses.images import Result
from app.api.responses.models import ModelInfo
from app.api.responses.problems import ItemError
from app.errors import ImageError
from app.gallery import query as domain
from app.gallery.query import Embeddings, SearchPage
from app.inference.embedder import Embedded


class Query(BaseModel):
    id: str | None = Field(None, description="The stored image's id, where it was named.")
    filename: str | None
    width: int
    height: int
    embedding: list[float] | None = Field(None, description="With `include=embedding`.")

    @classmethod
    def of(
        cls, image: Embedded, *, image_id: str | None, filename: str | None, embedding: bool
    ) -> Self:
        """Describe an image that was searched for; ``embedding`` asks for its vector."""
        return cls(
            id=image_id,
            filename=filename,
            width=image.width,
            height=image.height,
            embedding=image.vectors[0].tolist() if embedding else None,
        )


class _Ranking(BaseModel):
    query: Query = Field(description="The image that was searched for; the first of several.")
    results: list[Result] = Field(description="Ascending by distance, ties by id.")
    match: bool | None = Field(
        description="Whether any of the first ten of the ranking, or of this page, is a match; false when nothing is left of it, "
        "null without a calibration."
    )
    calibration: Literal["gallery", "model"] | None = Field(
        description="What the verdicts are calibrated by: distances between images of this gallery "
        "(`gallery`), or the model's own validation images (`model`): then nothing is promised for "
        "images of another kind. Null: there are no verdicts."
    )
    total: int = Field(description="Images that were searched: those that the filter allows.")
    offset: int
    next_offset: int | None = Field(description="Where the next page starts; null on the last.")


class Page(_Ranking):
    @classmethod
    def of(cls, page: SearchPage, query: Query) -> Self:
        """Describe a page of the ranking."""
        return cls(
            query=query,
            results=[Result.of(match) for match in page.matches],
            match=page.match,
            calibration=page.calibration,
            total=page.total,
            offset=page.offset,
            next_offset=page.next_offset,
        )


class SearchAnswer(_Ranking):
    model: ModelInfo
    took_ms: float

    @classmethod
    def of(cls, page: SearchPage, query: Query, took_ms: float) -> Self:
        """Describe a page of the ranking, and what made it."""
        shown = Page.of(page, query)
        return cls(
            query=shown.query,
            results=shown.results,
            match=shown.match,
            calibration=shown.calibration,
            total=shown.total,
            offset=shown.offset,
            next_offset=shown.next_offset,
            model=ModelInfo.of(page.model),
            took_ms=took_ms,
        )


class BatchItem(BaseModel):
    index: int = Field(description="Place of the file in the request, from 0.")
    answer: Page | None = Field(description="Null when the file is not an image.")
    error: ItemError | None = None

    @classmethod
    def of(
        cls, index: int, page: SearchPage | ImageError, *, filename: str | None, embedding: bool
    ) -> Self:
        """Describe what became of a file; ``embedding`` asks for its vector."""
        if isinstance(page, ImageError):
            return cls(index=index, answer=None, error=ItemError.of(page))
        query = Query.of(page.queries[0], image_id=None, filename=filename, embedding=embedding)
        return cls(index=index, answer=Page.of(page, query))


class BatchAnswer(BaseModel):
    items: list[BatchItem]
    model: ModelInfo
    took_ms: float


class EmbedItem(BaseModel):
    index: int = Field(description="Place of the file in the request, from 0.")
    filename: str | None
    embedding: list[float] | None = Field(description="Null when the file is not an image.")
    error: ItemError | None = None

    @classmethod
    def of(cls, index: int, image: Embedded | ImageError, filename: str | None) -> Self:
        """Describe what became of a file."""
        if isinstance(image, ImageError):
            return cls(index=index, filename=filename, embedding=None, error=ItemError.of(image))
        return cls(index=index, filename=filename, embedding=image.vectors[0].tolist())


class EmbedAnswer(BaseModel):
    items: list[EmbedItem]
    dimension: int
    model: ModelInfo

    @classmethod
    def of(cls, embeddings: Embeddings, filenames: list[str | None]) -> Self:
        """Describe the vectors of files, or why there are none."""
        items = [
            EmbedItem.of(index, image, filename)
            for index, (image, filename) in enumerate(
                zip(embeddings.images, filenames, strict=True)
            )
        ]
        model = embeddings.model
        return cls(items=items, dimension=model.dimension, model=ModelInfo.of(model))


class Comparison(BaseModel):
    distance: float = Field(description="Euclidean distance between the embeddings.")
    score: float | None = Field(
        description="Probability of a match; null without a model's calibration."
    )
    match: bool | None = Field(
        description="Whether this is called a match, as a search among 100 images would call it; null without a "
        "calibration."
    )
    calibration: Literal["gallery", "model"] | None = Field(
        description="What the verdicts are calibrated by: distances between images of this gallery "
        "(`gallery`), or the model's own validation images (`model`): then nothing is promised for "
        "images of another kind. Null: there are no verdicts."
    )
    model: ModelInfo

    @classmethod
    def of(cls, found: domain.Comparison) -> Self:
        """Describe how alike two images are."""
        return cls(
            distance=found.distance,
            score=found.verdict.score(found.distance),
            match=found.verdict.match(found.distance),
            calibration=found.verdict.source,
            model=ModelInfo.of(found.model),
        )
