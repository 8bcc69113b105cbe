"""A stored image, by itself and as the result of a search."""

from typing import Any, Self
from urllib.parse import quote

from pydantic import BaseModel, Field

from app.bundle.encoder import Vectors
from app.gallery.query import Match
from app.storage.records import ImageRecord


class _StoredImage(BaseModel):
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


class Image(_StoredImage):
    @classmethod
    def of(cls, record: ImageRecord, vector: Vectors | None = None) -> Self:
        """Describe a stored image; ``vector`` float32 [D] where it was asked for."""
        # An id is stored as given; in a path it must be quoted.
        url = f"/gallery/{quote(record.id, safe='')}"
        return cls(
            id=record.id,
            label=record.label,
            filename=record.filename,
            metadata=record.metadata,
            width=record.width,
            height=record.height,
            media_type=record.media_type,
            bytes=record.bytes,
            created_at=record.created_at,
            image_url=f"{url}/image",
            thumbnail_url=f"{url}/thumbnail",
            embedding=None if vector is None else vector.tolist(),
        )


class Result(_StoredImage):
    rank: int = Field(description="1 is the nearest.")
    distance: float = Field(description="Euclidean distance between the embeddings.")
    score: float | None = Field(
        description="Probability of a match, given the number of images searched; null without a "
        "model's calibration."
    )
    match: bool | None = Field(
        description="Whether this is called a match: of the queries that have none in the gallery, "
        "the part `match_false_alarms` is told of one; null without a calibration."
    )
    group: str | int | float | bool | None = Field(
        None, description="The value of `group_by` that this image stands for."
    )

    @classmethod
    def of(cls, match: Match) -> Self:
        """Describe what was found."""
        image = Image.of(match.image, match.vector)
        return cls(
            id=image.id,
            label=image.label,
            filename=image.filename,
            metadata=image.metadata,
            width=image.width,
            height=image.height,
            media_type=image.media_type,
            bytes=image.bytes,
            created_at=image.created_at,
            image_url=image.image_url,
            thumbnail_url=image.thumbnail_url,
            embedding=image.embedding,
            rank=match.rank,
            distance=match.distance,
            score=match.score,
            match=match.match,
            group=match.group,
        )
