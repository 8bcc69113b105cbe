"""``gemello jobs``: long work of a running service."""

import json
from typing import Annotated

import typer
from rich.table import Table

from gemello.client import Client
from gemello.client.results import Job, JobDetails
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_fields, print_json, print_outcome
from gemello.progress import track
from gemello.terminal import Terminal, escaped

JobId = Annotated[str, typer.Argument(metavar="ID")]


def register(app: typer.Typer) -> None:
    jobs = typer.Typer(help="List, show, wait for and cancel long work.", no_args_is_help=True)
    app.add_typer(jobs, name="jobs")

    @jobs.command("list")
    def list_jobs(url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """List jobs, the newest first.

        Example: `gemello jobs list`
        """
        with Client(url, key=key) as client:
            all_jobs = client.jobs()
        if as_json:
            print_json(all_jobs)
            return
        table = Table("id", "kind", "state", "done", "failed", "began")
        for job in all_jobs:
            table.add_row(job.id, job.kind, job.state, _done(job), str(job.failed), job.created_at)
        Terminal().print(table, markup=False)

    @jobs.command()
    def show(job_id: JobId, url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """Show a job, with what failed.

        Example: `gemello jobs show ID`
        """
        with Client(url, key=key) as client:
            job = client.job(job_id)
        if as_json:
            print_json(job)
        else:
            _show(job)

    @jobs.command()
    def wait(job_id: JobId, url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """Wait until a job has ended; exits with 1 unless it succeeded.

        Example: `gemello jobs wait ID`
        """
        with Client(url, key=key) as client:
            follow(client, job_id, as_json)

    @jobs.command()
    def cancel(job_id: JobId, url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """Stop a job; what it has done stays done.

        Example: `gemello jobs cancel ID`
        """
        with Client(url, key=key) as client:
            job = client.cancel(job_id)
        print_outcome(as_json, job, job.state)


def watch(client: Client, job_id: str, title: str = "working") -> JobDetails:
    """Show a job's progress until it has ended, and return it."""
    with track(title) as bar:
        return client.wait(job_id, lambda job: bar.set(job.done, job.total))


def follow(client: Client, job_id: str, as_json: bool) -> None:
    """``watch``, then print how it ended and what failed. Exits with 1 unless it succeeded."""
    job = watch(client, job_id)
    if as_json:
        print_json(job)
    else:
        _print_end(job)
    if job.state != "succeeded":
        raise typer.Exit(1)


def _show(job: JobDetails) -> None:
    print_fields(
        {
            "id": job.id,
            "kind": job.kind,
            "arguments": json.dumps(job.arguments, ensure_ascii=False),
            "state": job.state,
            "reason": job.reason,
            "done": _done(job),
            "added": job.added,
            "failed": job.failed,
            "began": job.created_at,
            "last change": job.updated_at,
        }
    )
    for error in job.errors:
        Terminal().print(f"{error.item}: {error.detail}", style="red", markup=False)


def _print_end(job: JobDetails) -> None:
    console = Terminal(stderr=True)
    for error in job.errors:
        console.print(f"{error.item}: {error.detail}", style="red", markup=False)
    reason = f": {job.reason}" if job.reason else ""
    typer.echo(escaped(f"{job.state}, {job.done} done, {job.failed} failed{reason}"))


def _done(job: Job) -> str:
    return f"{job.done} of {'?' if job.total is None else job.total}"
