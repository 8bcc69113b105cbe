"""``gemello index PATH…``: add folders, archives and addresses to a running service."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from gemello.client import Client
from gemello.client.image_id import default_id
from gemello.client.results import Job, JobDetails
from gemello.commands.jobs import watch
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_json
from gemello.image_folder import image_files, label_of
from gemello.progress import track
from gemello.terminal import Terminal

_CHUNK = 16


@dataclass
class Report:
    """What became of the images."""

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
        on_server: Annotated[
            bool,
            typer.Option(
                "--on-server",
                help="PATH is a folder on the service's machine, below its GEMELLO_IMPORT_DIR.",
            ),
        ] = False,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Add images to a running service; subfolder names become labels.

        Images that are stored already are not sent again, so an interrupted run can be repeated. The
        service unpacks archives and fetches addresses itself, where its settings allow it. Exits with
        1 when a file was refused. Examples: `gemello index photos/`, `gemello index photos.zip`,
        `gemello index https://example.com/shoe.jpg`, `gemello index --on-server photos`
        """
        console = Terminal(stderr=True)
        sources = _sources(paths, on_server)
        if label and (sources.server_folders or sources.urls or sources.archives):
            raise typer.BadParameter(
                "works only with folders and images of this machine", param_hint="--label"
            )
        files = [
            (file, label or folder_label)
            for path in sources.paths
            for file, folder_label in _files(path)
        ]
        report = Report()
        with Client(url, key=key) as client:
            if files:
                _upload(client, files, console, report)
            for job in _jobs(client, sources):
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
class _Sources:
    """Where the images are, by the way that they take."""

    paths: list[Path]
    archives: list[Path]
    urls: list[str]
    server_folders: list[str]


def _sources(names: Sequence[str], on_server: bool) -> _Sources:
    if on_server:
        return _Sources([], [], [], list(names))
    urls = [name for name in names if name.startswith(("http://", "https://"))]
    local = [Path(name) for name in names if name not in urls]
    archives = [path for path in local if path.suffix.lower() == ".zip" and path.is_file()]
    return _Sources([path for path in local if path not in archives], archives, urls, [])


def _jobs(client: Client, sources: _Sources) -> Iterator[Job]:
    """Begin the service's own work, one job after the other."""
    for archive in sources.archives:
        yield client.import_archive(archive)
    if sources.urls:
        yield client.import_urls(sources.urls)
    for folder in sources.server_folders:
        yield client.import_folder(folder)


def _count(job: JobDetails, report: Report) -> None:
    report.created += job.added
    report.already_there += job.done - job.added - job.failed
    report.failed += [{"file": error.item, "error": error.detail} for error in job.errors]
    if job.state != "succeeded":
        reason = job.reason or f"it was {job.state}"
        report.failed.append({"file": f"job {job.id}", "error": reason})


def _files(path: Path) -> Iterator[tuple[Path, str | None]]:
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
    console: Terminal,
    report: Report,
) -> None:
    known = {image.id for image in client.images()}
    with track("indexing", len(files), on=console) as advance:
        remaining = iter(files)
        while chunk := list(islice(remaining, _CHUNK)):
            _upload_chunk(client, chunk, known, report)
            advance(len(chunk))


def _upload_chunk(
    client: Client, chunk: Sequence[tuple[Path, str | None]], known: set[str], report: Report
) -> None:
    fresh: list[tuple[Path, str | None]] = []
    for path, label in chunk:
        try:
            image_id = default_id(path)
        except OSError as exc:
            report.failed.append({"file": str(path), "error": str(exc.strerror)})
            continue
        if image_id in known:
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
