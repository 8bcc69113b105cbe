"""A database made anew from what lies on the disk: images, the journal, and what is left of the old one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.errors import ImageError, StorageUnavailable
from app.images.prepare import prepare
from app.storage.local import recovery, rows
from app.storage.local.blob_store import LocalBlobStore
from app.storage.local.database import Database
from app.storage.local.disk import translated
from app.storage.local.gallery_store import JOURNAL
from app.storage.local.journal import Journal
from app.storage.local.stores import DATABASE, IMAGES
from app.storage.local.upkeep.aside import move_aside
from app.storage.local.upkeep.salvage import salvaged_choices, salvaged_records
from app.storage.records import ImageRecord

# Hex digits of the SHA-256 that make an id, as when an image is added without one.
_ID_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many images have a record again, how many of them nothing was known of, and what was left out.

    ``lost`` has the ids whose image is gone, ``unreadable`` the digests of files that are no image.
    """

    images: int
    unknown: int
    lost: list[str]
    unreadable: list[str]
    old: Path | None


def rebuild(data_dir: Path, advance: Callable[[int, int], None] = lambda _d, _t: None) -> Rebuilt:
    """Make the database of a folder that this process owns anew; the old one is kept beside it.

    Images get their vectors at the next start of the service. Raises ``StorageFull`` or
    ``StorageUnavailable``, and then the old database is still in place.
    """
    path, blobs = data_dir / DATABASE, LocalBlobStore(data_dir / IMAGES)
    journal = Journal(data_dir / JOURNAL)
    live, known = _remembered(path, journal)
    here = set(blobs.digests())
    there = here | {item.digest for item in blobs.quarantined()}
    records = [record for record in live.values() if record.sha256 in there]
    lost = sorted(live.keys() - {record.id for record in records})
    unclaimed = sorted(here - {record.sha256 for record in records})
    taken = {record.id for record in records}
    unknown, unreadable = 0, []
    for done, digest in enumerate(unclaimed, start=1):
        record = known.get(digest) or _looked_at(blobs, digest)
        if record is None:
            unreadable.append(digest)
        else:
            unknown += digest not in known
            if record.id in taken:
                record = replace(record, id=digest[:_ID_LENGTH])
            taken.add(record.id)
            records.append(replace(record, position=0))
        advance(done, len(unclaimed))
    new = path.with_name(f"{DATABASE}.new")
    with translated():
        for suffix in ("", "-wal", "-shm"):
            Path(f"{new}{suffix}").unlink(missing_ok=True)
    database = Database(new)
    try:
        with database.transaction() as db:
            # Those that have a place keep it; the others come behind them.
            for record in sorted(records, key=lambda each: each.position or 1 << 62):
                rows.write_record(db, record, record.position or None)
            rows.count_change(db, journal.contents().last.number)
            db.executemany("INSERT OR REPLACE INTO choices VALUES (?, ?)", salvaged_choices(path))
    finally:
        database.close()
    with translated():
        old = move_aside(data_dir)
        new.replace(path)
    database = Database(path)
    try:
        recovery.write_anew(database, journal)
    finally:
        database.close()
    return Rebuilt(len(records), unknown, lost, unreadable, old)


def _remembered(
    path: Path, journal: Journal
) -> tuple[dict[str, ImageRecord], dict[str, ImageRecord]]:
    """Records by id as they were last, and the last record that each file's digest ever had."""
    live = {record.id: record for record in salvaged_records(path)}
    known = {record.sha256: record for record in live.values()}
    for entry in journal.entries():
        for record in entry.put if entry else ():
            live[record.id] = known[record.sha256] = record
        for image_id in entry.removed if entry else ():
            live.pop(image_id, None)
    return live, known


def _looked_at(blobs: LocalBlobStore, digest: str) -> ImageRecord | None:
    """A record of a file that nothing is known of; None when it is not an image, or is damaged."""
    try:
        data = blobs.get(digest)
        image = prepare(data, 1)
    except (ImageError, StorageUnavailable):
        return None
    return ImageRecord(
        id=digest[:_ID_LENGTH],
        sha256=digest,
        filename=None,
        label=None,
        metadata={},
        width=image.width,
        height=image.height,
        media_type=image.media_type,
        bytes=len(data),
    )
