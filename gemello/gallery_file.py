"""A whole gallery as one file: a zip archive of images, their records and their vectors.

``gallery.json`` has the format's version, the model and the number of images; ``images.jsonl`` has a line for each image in
order of arrival; ``images/<sha256>`` its bytes, once however many records share them.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gemello.client import ApiError, Client
from gemello.client.calls.call import OnConflict
from gemello.client.results import Image, Item

FORMAT_VERSION = 1
_PAGE, _CHUNK = 100, 16
_DAMAGED, _GONE = "image_damaged", "image_not_found"

Advance = Callable[[int], None]


class GalleryFileError(Exception):
    """The file is not an exported gallery, or cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The model that made a file's vectors, and the number of its images."""

    model: str
    images: int


@dataclass(frozen=True, slots=True)
class Exported:
    """How many images a file holds, and by id why others are not in it: they are damaged."""

    images: int
    damaged: Mapping[str, str]


def export_gallery(
    client: Client, target: Path, advance: Callable[[int, int], None] = lambda _done, _total: None
) -> Exported:
    """Write the gallery of a running service to ``target``; an image that is damaged is left out.

    The file appears when it is complete. Raises ``GalleryFileError`` when it cannot be written.
    """
    partial = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            exported = _write(client, archive, advance)
        partial.replace(target)
    except OSError as exc:
        raise GalleryFileError(f"{target} cannot be written ({exc.strerror}).") from exc
    finally:
        partial.unlink(missing_ok=True)
    return exported


def _write(
    client: Client, archive: zipfile.ZipFile, advance: Callable[[int, int], None]
) -> Exported:
    lines: list[str] = []
    damaged: dict[str, str] = {}
    stored: set[str] = set()
    cursor, model = None, ""
    while True:
        page = client.page(limit=_PAGE, cursor=cursor, embeddings=True)
        if lines and page.model.id != model:
            raise GalleryFileError(
                "The service changed to another model during the export; export again."
            )
        model = page.model.id
        for image in page.images:
            try:
                data = client.content(image.id)
            except ApiError as exc:
                if exc.code == _DAMAGED:
                    damaged[image.id] = str(exc)
                    continue
                # Removed since it was listed.
                if exc.code == _GONE:
                    continue
                raise
            digest = hashlib.sha256(data).hexdigest()
            if digest not in stored:
                archive.writestr(f"images/{digest}", data)
                stored.add(digest)
            lines.append(json.dumps(_line(image, digest)))
        advance(len(lines) + len(damaged), page.total)
        cursor = page.next_cursor
        if cursor is None:
            break
    archive.writestr("images.jsonl", "\n".join(lines), zipfile.ZIP_DEFLATED)
    summary = {"format_version": FORMAT_VERSION, "model": model, "images": len(lines)}
    archive.writestr("gallery.json", json.dumps(summary))
    return Exported(len(lines), damaged)


def _line(image: Image, digest: str) -> dict[str, Any]:
    return {
        "id": image.id,
        "sha256": digest,
        "filename": image.filename,
        "label": image.label,
        "metadata": image.metadata,
        "embedding": image.embedding,
    }


def read_summary(source: Path) -> Summary:
    """Return what a file holds. Raises ``GalleryFileError`` when it is not an exported gallery."""
    with _opened(source) as archive:
        try:
            summary = json.loads(archive.read("gallery.json"))
            if summary["format_version"] > FORMAT_VERSION:
                raise GalleryFileError(f"{source} was written by a newer version of Gemello.")
            return Summary(str(summary["model"]), int(summary["images"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise GalleryFileError(f"{source} is not an exported gallery.") from exc


def import_gallery(
    client: Client,
    source: Path,
    on_conflict: OnConflict = "skip",
    advance: Advance = lambda _: None,
) -> Iterator[tuple[str, Item]]:
    """Add the images of an exported gallery; yield each one's id and what became of it.

    Vectors are taken over where the service has the same model. Can be repeated after an interruption.
    Raises ``GalleryFileError``.
    """
    model = read_summary(source).model
    with _opened(source) as archive:
        try:
            lines = iter(archive.read("images.jsonl").splitlines())
            while chunk := [json.loads(line) for line in islice(lines, _CHUNK)]:
                yield from zip(
                    [record["id"] for record in chunk],
                    _add(client, archive, chunk, model, on_conflict),
                    strict=True,
                )
                advance(len(chunk))
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as exc:
            raise GalleryFileError(f"{source} is damaged ({exc}).") from exc


def _add(
    client: Client,
    archive: zipfile.ZipFile,
    records: Sequence[dict[str, Any]],
    model: str,
    on_conflict: OnConflict,
) -> list[Item]:
    files = [(r["filename"] or "image", archive.read(f"images/{r['sha256']}")) for r in records]
    return client.add(
        [data for _, data in files],
        names=[name for name, _ in files],
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
        raise GalleryFileError(f"{source} cannot be read ({exc.strerror}).") from exc
    except zipfile.BadZipFile as exc:
        raise GalleryFileError(f"{source} is not an exported gallery.") from exc
