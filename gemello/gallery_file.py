"""A whole gallery as one file: a zip archive of images, their records and their vectors.

``gallery.json`` has the format's version, the model and the number of images; ``images.jsonl`` has a line for each image in
order of arrival; ``images/<sha256>`` its bytes, once however many records share them.
"""

import hashlib
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemello.archive_entries import EntryError, open_archive, read_entry, read_lines
from gemello.client import ApiError, Client
from gemello.client.calls.call import OnConflict
from gemello.client.decoding import decode
from gemello.client.results import Image, Item

FORMAT_VERSION = 1
_PAGE = 100
# Images that are sent at a time, and after how many bytes there are enough of them.
_CHUNK, _CHUNK_BYTES = 16, 32_000_000
# What is read of a file at most: its summary, a line, an image.
_MAX_SUMMARY, _MAX_LINE, _MAX_IMAGE = 65_536, 1_000_000, 100_000_000
# With its name, which stands twice, an entry takes more. So what the table of contents takes in memory
# is bounded by the size of the file, not by the number that it claims.
_LEAST_ENTRY_BYTES = 200
_SHA256 = re.compile("[0-9a-f]{64}")
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
            summary = json.loads(read_entry(archive, "gallery.json", _MAX_SUMMARY))
            if summary["format_version"] > FORMAT_VERSION:
                raise GalleryFileError(f"{source} was written by a newer version of Gemello.")
            return Summary(str(summary["model"]), int(summary["images"]))
        except (EntryError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as exc:
            raise GalleryFileError(f"{source} is not an exported gallery.") from exc


def import_gallery(
    client: Client,
    source: Path,
    on_conflict: OnConflict = "skip",
    advance: Advance = lambda _: None,
) -> Iterator[tuple[str, Item]]:
    """Add the images of an exported gallery; yield each one's id and what became of it.

    Vectors are taken over where the service has the same model. Can be repeated after an interruption.
    The file is read within limits, whoever made it. Raises ``GalleryFileError``.
    """
    model = read_summary(source).model
    with _opened(source) as archive:
        try:
            for batch in _batches(archive):
                yield from zip(
                    [record.id for record, _ in batch],
                    _add(client, batch, model, on_conflict),
                    strict=True,
                )
                advance(len(batch))
        except EntryError as exc:
            raise GalleryFileError(f"{source} is damaged: {exc}.") from exc
        except OSError as exc:
            raise GalleryFileError(f"{source} cannot be read ({exc.strerror}).") from exc


@dataclass(frozen=True, slots=True)
class _Record:
    """A line of ``images.jsonl``."""

    id: str
    sha256: str
    filename: str | None
    label: str | None
    metadata: dict[str, Any]
    embedding: list[float] | None


def _batches(archive: zipfile.ZipFile) -> Iterator[list[tuple[_Record, bytes]]]:
    """A few images at a time, with their bytes. Raises ``EntryError``."""
    batch: list[tuple[_Record, bytes]] = []
    size = 0
    for number, line in enumerate(read_lines(archive, "images.jsonl", _MAX_LINE), start=1):
        record = _record(line, number)
        data = read_entry(archive, f"images/{record.sha256}", _MAX_IMAGE)
        if hashlib.sha256(data).hexdigest() != record.sha256:
            raise EntryError(f"images/{record.sha256[:12]}… is not what its name says")
        batch.append((record, data))
        size += len(data)
        if len(batch) == _CHUNK or size > _CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _record(line: bytes, number: int) -> _Record:
    try:
        record = decode(_Record, json.loads(line))
    except (ValueError, RecursionError) as exc:
        raise EntryError(f"line {number} of images.jsonl describes no image") from exc
    if not _SHA256.fullmatch(record.sha256) or not _is_text(record.id):
        raise EntryError(f"line {number} of images.jsonl describes no image")
    return record


def _is_text(image_id: str) -> bool:
    """Whether the service takes ``image_id`` in this respect: no control characters, valid Unicode."""
    return not any(unicodedata.category(c) in {"Cc", "Cs"} for c in image_id)


def _add(
    client: Client, batch: Sequence[tuple[_Record, bytes]], model: str, on_conflict: OnConflict
) -> list[Item]:
    records = [record for record, _ in batch]
    return client.add(
        [data for _, data in batch],
        names=[record.filename or "image" for record in records],
        ids=[record.id for record in records],
        labels=[record.label for record in records],
        metadata=[record.metadata for record in records],
        embeddings=[record.embedding for record in records],
        embeddings_model=model,
        on_conflict=on_conflict,
    )


@contextmanager
def _opened(source: Path) -> Iterator[zipfile.ZipFile]:
    with ExitStack() as opened:
        try:
            size = source.stat().st_size
            archive = opened.enter_context(
                open_archive(source, 2 + size // _LEAST_ENTRY_BYTES, size)
            )
        except OSError as exc:
            raise GalleryFileError(f"{source} cannot be read ({exc.strerror}).") from exc
        except EntryError as exc:
            raise GalleryFileError(f"{source} is not an exported gallery: {exc}.") from exc
        yield archive
