"""A whole gallery as one file: a zip archive of images, what is said of them, and their vectors.

``gallery.json`` says the format's version and the model; ``images.jsonl`` has a line for each image in
order of arrival; ``images/<sha256>`` its bytes, once however many records share them.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gemello.client import Client
from gemello.client.results import Image, Item

FORMAT_VERSION = 1
_PAGE, _CHUNK = 100, 16

Advance = Callable[[int], None]


class ArchiveError(Exception):
    """The file is no exported gallery, or cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What the archive says of itself: the model that made the vectors, how many images."""

    model: str
    images: int


def export_gallery(
    client: Client, target: Path, advance: Callable[[int, int], None] = lambda _done, _total: None
) -> int:
    """Write the gallery of a running service to ``target``; return how many images it has.

    The file appears when it is complete. Raises ``ArchiveError`` when it cannot be written.
    """
    partial = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            count = _write(client, archive, advance)
        partial.replace(target)
    except OSError as exc:
        raise ArchiveError(f"{target} cannot be written ({exc.strerror}).") from exc
    finally:
        partial.unlink(missing_ok=True)
    return count


def _write(client: Client, archive: zipfile.ZipFile, advance: Callable[[int, int], None]) -> int:
    lines: list[str] = []
    stored: set[str] = set()
    cursor, model = None, ""
    while True:
        page = client.page(limit=_PAGE, cursor=cursor, embeddings=True)
        if lines and page.model.id != model:
            raise ArchiveError("Another model took over meanwhile; export once more.")
        model = page.model.id
        for image in page.images:
            data = client.content(image.id)
            digest = hashlib.sha256(data).hexdigest()
            if digest not in stored:
                archive.writestr(f"images/{digest}", data)
                stored.add(digest)
            lines.append(json.dumps(_line(image, digest)))
        advance(len(lines), page.total)
        cursor = page.next_cursor
        if cursor is None:
            break
    archive.writestr("images.jsonl", "\n".join(lines), zipfile.ZIP_DEFLATED)
    about = {"format_version": FORMAT_VERSION, "model": model, "images": len(lines)}
    archive.writestr("gallery.json", json.dumps(about))
    return len(lines)


def _line(image: Image, digest: str) -> dict[str, Any]:
    return {
        "id": image.id,
        "sha256": digest,
        "filename": image.filename,
        "label": image.label,
        "metadata": image.metadata,
        "embedding": image.embedding,
    }


def read_about(source: Path) -> Exported:
    """Raises ``ArchiveError`` when ``source`` is no exported gallery."""
    with _opened(source) as archive:
        try:
            about = json.loads(archive.read("gallery.json"))
            if about["format_version"] > FORMAT_VERSION:
                raise ArchiveError(f"{source} was written by a newer version of Gemello.")
            return Exported(str(about["model"]), int(about["images"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise ArchiveError(f"{source} is no exported gallery.") from exc


def import_gallery(
    client: Client, source: Path, on_conflict: str = "skip", advance: Advance = lambda _: None
) -> Iterator[tuple[str, Item]]:
    """Add the images of an exported gallery; yields each one's id and what became of it.

    Vectors are kept where the service has the same model. Can be repeated after an interruption.
    Raises ``ArchiveError``.
    """
    about = read_about(source)
    with _opened(source) as archive:
        try:
            lines = iter(archive.read("images.jsonl").splitlines())
            while chunk := [json.loads(line) for line in islice(lines, _CHUNK)]:
                yield from zip(
                    [record["id"] for record in chunk],
                    _add(client, archive, chunk, about.model, on_conflict),
                    strict=True,
                )
                advance(len(chunk))
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as exc:
            raise ArchiveError(f"{source} is damaged ({exc}).") from exc


def _add(
    client: Client,
    archive: zipfile.ZipFile,
    records: Sequence[dict[str, Any]],
    model: str,
    on_conflict: str,
) -> list[Item]:
    named = [(r["filename"] or "image", archive.read(f"images/{r['sha256']}")) for r in records]
    return client.add(
        [data for _, data in named],
        names=[name for name, _ in named],
        ids=[record["id"] for record in records],
        labels=[record["label"] for record in records],
        metadata=[record["metadata"] for record in records],
        embeddings=[record["embedding"] for record in records],
        embeddings_model=model,
        on_conflict=on_conflict,
    )


def _opened(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except OSError as exc:
        raise ArchiveError(f"{source} cannot be read ({exc.strerror}).") from exc
    except zipfile.BadZipFile as exc:
        raise ArchiveError(f"{source} is no exported gallery.") from exc
