"""What became of added images, and the gallery as a whole."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field

from app.api.responses.images import Image
from app.api.responses.models import ModelInfo
from app.api.responses.problems import ItemError
from app.bundle.manifest import Manifest
from app.gallery.inspection import Inspector
from app.gallery.new_image import AddResult
from app.storage.damage import Kind
from app.storage.records import ImageRecord, Summary

_SHOWN = 100


class Item(BaseModel):
    index: int = Field(description="Place of the file in the request, from 0.")
    filename: str | None
    id: str | None
    status: Literal["created", "replaced", "skipped", "failed"]
    error: ItemError | None = None

    @classmethod
    def of(cls, index: int, result: AddResult, filename: str | None) -> Self:
        """Describe what became of a file."""
        return cls(
            index=index,
            filename=filename,
            id=result.id,
            status=result.status,
            error=ItemError.of(result.error) if result.error else None,
        )


class AddAnswer(BaseModel):
    items: list[Item]
    created: int
    replaced: int
    skipped: int
    failed: int

    @classmethod
    def of(cls, results: Sequence[AddResult], filenames: Sequence[str | None]) -> Self:
        """Describe what became of each file."""
        statuses = [result.status for result in results]
        return cls(
            items=[
                Item.of(index, result, filename)
                for index, (result, filename) in enumerate(zip(results, filenames, strict=True))
            ],
            created=statuses.count("created"),
            replaced=statuses.count("replaced"),
            skipped=statuses.count("skipped"),
            failed=statuses.count("failed"),
        )


class ListAnswer(BaseModel):
    images: list[Image]
    total: int
    next_cursor: str | None
    model: ModelInfo = Field(description="What made the vectors.")


class Removed(BaseModel):
    removed: int


class Group(BaseModel):
    images: list[Image]
    size: int = Field(description="Images in the group.")
    truncated: bool = Field(description="Whether `images` is the beginning of a larger group.")

    @classmethod
    def of(cls, ids: Sequence[str], most: int, records: Mapping[str, ImageRecord]) -> Self:
        """Describe a group by the first ``most`` of its images.

        Those without a record are left out: one may have been removed meanwhile.
        """
        return cls(
            images=[Image.of(records[i]) for i in ids[:most] if i in records],
            size=len(ids),
            truncated=len(ids) > most,
        )


class DuplicatesAnswer(BaseModel):
    groups: list[Group] = Field(
        description="The largest first; fewer than `limit` where they have thousands of images."
    )
    total: int = Field(description="Groups in all.")
    offset: int
    next_offset: int | None = Field(description="Where the next page starts; null on the last.")
    model: ModelInfo
    took_ms: float


class DamagedItem(BaseModel):
    kind: Kind
    item: str = Field(description="An image's id, or the name of a file.")
    problem: str


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
    quarantined: int = Field(description="Files set aside, as no record needs them or as damaged.")
    damaged: int = Field(description="Stored things found damaged that could not be mended.")
    damage: list[DamagedItem] = Field(description="The first 100 of them.")
    mended: int = Field(description="Damaged things that were mended since the start.")
    checked_at: str | None = Field(description="When all that is stored was last looked at.")

    @classmethod
    def of(
        cls,
        summary: Summary,
        *,
        searchable: int,
        jobs: int,
        model: Manifest,
        quarantined: int,
        inspector: Inspector,
    ) -> Self:
        """Describe the stored images, those in the index, the unfinished jobs, the served model.

        ``quarantined`` files are set aside; ``inspector`` knows what is damaged.
        """
        damage = inspector.damage
        return cls(
            images=summary.images,
            searchable=searchable,
            bytes=summary.bytes,
            labels=summary.labels,
            media_types=summary.media_types,
            vectors=summary.vectors,
            oldest=summary.oldest,
            newest=summary.newest,
            jobs=jobs,
            model=ModelInfo.of(model),
            quarantined=quarantined,
            damaged=len(damage),
            damage=[
                DamagedItem(kind=each.kind, item=each.item, problem=each.problem)
                for each in damage[:_SHOWN]
            ],
            mended=inspector.mended,
            checked_at=inspector.checked_at,
        )
