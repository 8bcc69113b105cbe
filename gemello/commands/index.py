"""``gemello index PATH…``: upload folders of images to a running service."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gemello.client import Client
from gemello.commands.options import DEFAULT, Json, Key, Url
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
        paths: Annotated[list[Path], typer.Argument(help="Folders, or single images.")],
        label: Annotated[
            str | None, typer.Option(help="Label for every image, instead of its subfolder's name.")
        ] = None,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Upload images to a running service; subfolder names become labels.

        Images that are already there are not sent again, so an interrupted run can be repeated.
        Exits with 1 when a file was refused. Example: `gemello index photos/`
        """
        console = Console(stderr=True)
        files = [(file, label or found) for path in paths for file, found in _files(path)]
        with Client(url, key=key) as client:
            report = _upload(client, files, console)
        if as_json:
            typer.echo(json.dumps(asdict(report)))
        else:
            typer.echo(
                f"{report.created} added, {report.already_there} already there, "
                f"{len(report.failed)} refused."
            )
            for failure in report.failed:
                console.print(f"{failure['file']}: {failure['error']}", style="red", markup=False)
        if report.failed:
            raise typer.Exit(1)


def _files(path: Path) -> Iterator[tuple[Path, str | None]]:
    from app.image_files import image_files, label_of

    if path.is_dir():
        for file in image_files(path):
            yield file, label_of(file, path)
    elif path.is_file():
        yield path, None
    else:
        raise typer.BadParameter(f"{path} does not exist", param_hint="PATHS")


def _upload(client: Client, files: Sequence[tuple[Path, str | None]], console: Console) -> Report:
    report = Report()
    known = {image.id for image in client.images()}
    with bar("indexing", console) as progress:
        task = progress.add_task("", total=len(files))
        remaining = iter(files)
        while chunk := list(islice(remaining, _CHUNK)):
            _upload_chunk(client, chunk, known, report)
            progress.advance(task, len(chunk))
    return report


def _upload_chunk(
    client: Client, chunk: Sequence[tuple[Path, str | None]], known: set[str], report: Report
) -> None:
    from app.gallery import DEFAULT_ID_LENGTH

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
