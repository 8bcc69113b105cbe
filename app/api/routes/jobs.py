"""/jobs: how far long work is, and how to stop it."""

from fastapi import APIRouter

from app.api import responses
from app.api.dependencies import JobRunnerDep, JobsDep
from app.api.problems import problems

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("", summary="List jobs", responses=problems(401, 429, 503))
def list_jobs(jobs: JobsDep) -> responses.JobsAnswer:
    """List the jobs, the newest first; old finished ones are forgotten in time."""
    return responses.JobsAnswer(jobs=[responses.Job.of(job) for job in jobs.all()])


@router.get("/{job_id}", summary="Look at a job", responses=problems(401, 404, 429, 503))
def get(jobs: JobsDep, job_id: str) -> responses.JobAnswer:
    return responses.JobAnswer.of(jobs.get(job_id), jobs.errors(job_id))


@router.post("/{job_id}/cancel", summary="Stop a job", responses=problems(401, 403, 404, 429, 503))
def cancel(runner: JobRunnerDep, job_id: str) -> responses.Job:
    """Stop a job: what it has done stays done; a job that has ended stays as it is."""
    return responses.Job.of(runner.cancel(job_id))
