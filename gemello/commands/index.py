"""``gemello index PATH…``: add folders, archives and addresses to a running service."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gemello.client import Client
from gemello.client.results import Job
from gemello.commands.jobs import watch
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_json
from gemello.commands.progress import bar

_CHUNK = 16


@dataclass
class Report:
    """What became of the files."""

    created: int = 0
    already_there: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)


def register(app: typer.Typer) -> None:
    @app.command()
    def index(
        paths: Annotated[
            list[str],
            typer.Argument(
                metavar="PATH", help="Folders, images, zip archives, or addresses on the web."
            ),
        ],
        label: Annotated[
            str | None, typer.Option(help="Label for every image, instead of its subfolder's name.")
        ] = None,
        there: Annotated[
            bool,
            typer.Option(
                "--there", help="PATH is a folder of the service's, below its GEMELLO_IMPORT_DIR."
            ),
        ] = False,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Add images to a running service; subfolder names become labels.

        Images that are already there are not sent again, so an interrupted run can be repeated. The
        service unpacks archives and fetches addresses itself, where its settings allow it. Exits with
        1 when a file was refused. Examples: `gemello index photos/`, `gemello index photos.zip`,
        `gemello index https://example.com/shoe.jpg`, `gemello index --there photos`
        """
        console = Console(stderr=True)
        given = _sorted(paths, there)
        if label and (given.there or given.urls or given.archives):
            raise typer.BadParameter(
                "only for folders and images of this machine", param_hint="--label"
            )
        files = [(file, label or found) for path in given.paths for file, found in _files(path)]
        report = Report()
        with Client(url, key=key) as client:
            if files:
                _upload(client, files, console, report)
            for job in _jobs(client, given):
                _count(watch(client, job.id, "indexing"), report)
        if as_json:
            print_json(report)
        else:
            typer.echo(
                f"{report.created} added, {report.already_there} already there, "
                f"{len(report.failed)} refused."
            )
            for failure in report.failed:
                console.print(f"{failure['file']}: {failure['error']}", style="red", markup=False)
        if report.failed:
            raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Given:
    """What was named, by how it gets there."""

    paths: list[Path]
    archives: list[Path]
    urls: list[str]
    there: list[str]


def _sorted(names: Sequence[str], there: bool) -> _Given:
    if there:
        return _Given([], [], [], list(names))
    urls = [name for name in names if name.startswith(("http://", "https://"))]
    local = [Path(name) for name in names if name not in urls]
    archives = [path for path in local if path.suffix.lower() == ".zip" and path.is_file()]
    return _Given([path for path in local if path not in archives], archives, urls, [])


def _jobs(client: Client, given: _Given) -> Iterator[Job]:
    """The service's own work, begun one after the other."""
    for archive in given.archives:
        yield client.import_archive(archive)
    if given.urls:
        yield client.import_urls(given.urls)
    for folder in given.there:
        yield client.import_folder(folder)


def _count(job: Job, report: Report) -> None:
    report.created += job.added
    report.already_there += job.done - job.added - job.failed
    report.failed += [{"file": error.item, "error": error.detail} for error in job.errors]
    if job.state != "succeeded":
        reason = job.reason or f"it was {job.state}"
        report.failed.append({"file": f"job {job.id}", "error": reason})


def _files(path: Path) -> Iterator[tuple[Path, str | None]]:
    from app.images.folder import image_files, label_of

    if path.is_dir():
        for file in image_files(path):
            yield file, label_of(file, path)
    elif path.is_file():
        yield path, None
    else:
        raise typer.BadParameter(f"{path} does not exist", param_hint="PATH")


def _upload(
    client: Client,
    files: Sequence[tuple[Path, str | None]],
    console: Console,
    report: Report,
) -> None:
    known = {image.id for image in client.images()}
    with bar("indexing", console) as progress:
        task = progress.add_task("", total=len(files))
        remaining = iter(files)
        while chunk := list(islice(remaining, _CHUNK)):
            _upload_chunk(client, chunk, known, report)
            progress.advance(task, len(chunk))


def _upload_chunk(
    client: Client, chunk: Sequence[tuple[Path, str | None]], known: set[str], report: Report
) -> None:
    from app.gallery.new_image import DEFAULT_ID_LENGTH

    fresh: list[tuple[Path, str | None]] = []
    for path, label in chunk:
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()[:DEFAULT_ID_LENGTH]
        except OSError as exc:
            report.failed.append({"file": str(path), "error": str(exc.strerror)})
            continue
        if digest in known:
            report.already_there += 1
        else:
            fresh.append((path, label))
    if not fresh:
        return
    items = client.add([path for path, _ in fresh], labels=[label for _, label in fresh])
    for (path, _), item in zip(fresh, items, strict=True):
        if item.error is not None:
            report.failed.append({"file": str(path), "error": item.error.detail})
        elif item.status == "skipped":
            report.already_there += 1
        else:
            report.created += 1
