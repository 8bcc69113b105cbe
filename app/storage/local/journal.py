"""What was changed, beside the database: enough to make its records anew when it is lost.

A line for each transaction, written before that is committed: checksum, number, how many records it
has, and as JSON the records that were put and the ids that were removed.
"""

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from app.bundle.model_store import sync
from app.storage.local.disk import translated, write_synced
from app.storage.records import ImageRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction: its number, the records it put, the ids it removed."""

    number: int
    put: Sequence[ImageRecord] = ()
    removed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """What a look through the file found: the last whole entry, records in all, lines that are damaged."""

    last: Entry = Entry(0)
    records: int = 0
    damaged: int = 0


class Journal:
    """A file that only grows, until it is written anew. Calls must take turns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Entry) -> None:
        """Write an entry; durable once this returns. Raises ``StorageFull`` or ``StorageUnavailable``."""
        with translated(), self.path.open("ab") as stream:
            new = stream.tell() == 0
            # A line that was cut short must not swallow this one.
            stream.write((b"" if new or self._ends_well() else b"\n") + _line(entry))
            stream.flush()
            os.fsync(stream.fileno())
        if new:
            with translated():
                sync(self.path.parent)

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Remove what was appended inside, if the transaction that it belongs to fails."""
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            yield
        except BaseException:
            # If not even that can be done, an entry of the same number will follow, which counts.
            with suppress(OSError):
                if self.path.exists():
                    os.truncate(self.path, size)
            raise

    def entries(self) -> Iterator[Entry | None]:
        """Yield every entry, the oldest first, and None for a line that is damaged."""
        with translated():
            if not self.path.exists():
                return
            with self.path.open("rb") as stream:
                for line in stream:
                    yield _entry(line) if _is_whole(line) else None

    def contents(self) -> Contents:
        """Look through the file, which may be missing; the lines are checked, the last alone is read."""
        last, records, damaged, cut = b"", 0, 0, False
        with translated():
            if self.path.exists():
                with self.path.open("rb") as stream:
                    for line in stream:
                        if _is_whole(line):
                            last = line
                            records += int(line.split(b" ", 3)[2])
                        else:
                            damaged += 1
                            cut = not line.endswith(b"\n")
        # A kill may cut the last line short: that transaction was not committed.
        return Contents(_entry(last) if last else Entry(0), records, damaged - cut)

    def rewrite(self, number: int, records: Iterable[Sequence[ImageRecord]]) -> None:
        """Put ``records``, those that there are, in the place of all entries up to ``number``."""
        temporary = self.path.with_suffix(".new")
        with translated():
            write_synced(temporary, (_line(Entry(number, chunk)) for chunk in records))
            temporary.replace(self.path)
            sync(self.path.parent)

    def _ends_well(self) -> bool:
        with self.path.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read() == b"\n"


def _line(entry: Entry) -> bytes:
    document = {"put": [asdict(record) for record in entry.put], "removed": list(entry.removed)}
    content = f"{entry.number} {len(entry.put)} {json.dumps(document)}".encode()
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _is_whole(line: bytes) -> bool:
    return line.endswith(b"\n") and line[:9] == b"%08x " % zlib.crc32(line[9:-1])


def _entry(line: bytes) -> Entry:
    _, number, _, document = line.split(b" ", 3)
    content = json.loads(document)
    put = [ImageRecord(**record) for record in content["put"]]
    return Entry(int(number), put, content["removed"])
