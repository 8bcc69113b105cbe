"""``gemello jobs``: long work of a running service."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gemello.client import Client
from gemello.client.results import Job
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_json
from gemello.commands.progress import bar

JobId = Annotated[str, typer.Argument(metavar="ID")]


def register(app: typer.Typer) -> None:
    jobs = typer.Typer(help="List, show, wait for and cancel long work.", no_args_is_help=True)
    app.add_typer(jobs, name="jobs")

    @jobs.command("list")
    def list_jobs(url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """List jobs, the newest first. Example: `gemello jobs list`"""
        with Client(url, key=key) as client:
            found = client.jobs()
        if as_json:
            print_json(found)
            return
        table = Table("id", "kind", "state", "done", "failed", "began")
        for job in found:
            total = "?" if job.total is None else job.total
            done = f"{job.done} of {total}"
            table.add_row(job.id, job.kind, job.state, done, str(job.failed), job.created_at)
        Console().print(table, markup=False)

    @jobs.command()
    def show(job_id: JobId, url: Url = DEFAULT, key: Key = None) -> None:
        """Print a job as JSON, with what failed. Example: `gemello jobs show ID`"""
        with Client(url, key=key) as client:
            print_json(client.job(job_id))

    @jobs.command()
    def wait(job_id: JobId, url: Url = DEFAULT, key: Key = None) -> None:
        """Wait until a job has ended; exits with 1 unless it succeeded. Example: `gemello jobs wait ID`"""
        with Client(url, key=key) as client:
            follow(client, job_id)

    @jobs.command()
    def cancel(job_id: JobId, url: Url = DEFAULT, key: Key = None) -> None:
        """Stop a job; what it has done stays done. Example: `gemello jobs cancel ID`"""
        with Client(url, key=key) as client:
            typer.echo(client.cancel(job_id).state)


def follow(client: Client, job_id: str) -> None:
    """Show a job's progress until it ends, then what failed. Exits with 1 unless it succeeded."""
    with bar("working") as progress:
        task = progress.add_task("", total=None)

        def watch(job: Job) -> None:
            progress.update(task, completed=job.done, total=job.total)

        job = client.wait(job_id, watch)
    console = Console(stderr=True)
    for error in job.errors:
        console.print(f"{error.item}: {error.detail}", style="red", markup=False)
    reason = f": {job.reason}" if job.reason else ""
    typer.echo(f"{job.state}, {job.done} done, {job.failed} failed{reason}")
    if job.state != "succeeded":
        raise typer.Exit(1)
