"""Jobs: how far long work is."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from app.jobs import table


class JobError(BaseModel):
    item: str = Field(description="What failed: an image's id, a file's path, an address.")
    code: str = Field(examples=["image_undecodable"])
    detail: str

    @classmethod
    def of(cls, error: table.ItemError) -> Self:
        """Describe why an item of a job failed."""
        return cls(item=error.item, code=error.code, detail=error.detail)


class Job(BaseModel):
    id: str
    kind: str = Field(examples=["activate_model"])
    arguments: dict[str, Any] = Field(examples=[{"model": "default/2"}])
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    reason: str | None = Field(description="Why the job as a whole failed, or what it waits for.")
    done: int = Field(description="Items that are done, failed ones included.")
    total: int | None = Field(description="Items in all; null until they are counted.")
    added: int = Field(description="Images that are new in the gallery.")
    failed: int
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, job: table.Job) -> Self:
        """Describe a job."""
        return cls(
            id=job.id,
            kind=job.kind,
            arguments=job.arguments,
            state=job.state,
            reason=job.reason,
            done=job.done,
            total=job.total,
            added=job.added,
            failed=job.failed,
            created_at=job.created_at,
            updated_at=job.updated_at,
        )


# The default is for `of` alone: every answer has the errors, and the document says so.
class JobAnswer(Job, json_schema_serialization_defaults_required=True):
    errors: list[JobError] = Field(
        default_factory=list, description="What failed, by item; the first thousand."
    )

    @classmethod
    def of(cls, job: table.Job, errors: Sequence[table.ItemError] = ()) -> Self:
        """Describe a job and what failed of it."""
        answer = super().of(job)
        answer.errors = [JobError.of(error) for error in errors]
        return answer


class JobsAnswer(BaseModel):
    jobs: list[Job] = Field(description="The newest first.")
