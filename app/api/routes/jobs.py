"""/jobs: how far long work is, and how to stop it."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from app.api import responses as answers
from app.api.deps import Serving
from app.api.problems import problems
from app.jobs.table import Job

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("", summary="List jobs", responses=problems(401, 429, 503))
def list_jobs(service: Serving) -> answers.JobsAnswer:
    """Lists the jobs that are kept, the newest first; finished ones make room in time."""
    return answers.JobsAnswer(jobs=[answers.Job(**job_fields(job)) for job in service.jobs.all()])


@router.get("/{job_id}", summary="Look at a job", responses=problems(401, 404, 429, 503))
def get(service: Serving, job_id: str) -> answers.JobAnswer:
    job = service.jobs.get(job_id)
    errors = [answers.JobError(**asdict(error)) for error in service.jobs.errors(job_id)]
    return answers.JobAnswer(**job_fields(job), errors=errors)


@router.post("/{job_id}/cancel", summary="Stop a job", responses=problems(401, 403, 404, 429, 503))
def cancel(service: Serving, job_id: str) -> answers.Job:
    """What the job has done stays done; a job that has ended stays as it is."""
    return answers.Job(**job_fields(service.runner.cancel(job_id)))


def job_fields(job: Job) -> dict[str, Any]:
    """What every answer says of a job."""
    return asdict(job)
