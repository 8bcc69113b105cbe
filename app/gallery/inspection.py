"""Looks at everything that is stored, in the background, and keeps what it found damaged."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

import structlog

from app.errors import ImageDamaged, Overloaded, StorageUnavailable
from app.inference.reembedding import Reembedder
from app.inference.served_model import ActiveModel
from app.storage.damage import Damage
from app.storage.records import ImageRecord
from app.storage.stores import Stores

log = structlog.get_logger()

# It works a tenth of the time, whatever the machine: searches must not notice.
_REST = 9
_BETWEEN_S, _RETRY_S = 24 * 3600.0, 60.0
# Images between two times that the place is written down.
_PAGE = 100


class Place(Protocol):
    """Where an interrupted look at the images goes on: a position, kept over a restart."""

    def get(self) -> int: ...

    def put(self, position: int) -> None: ...


class Inspector:
    """A thread that looks through records, vectors and images once a day.

    Vectors that are missing are made again, damaged images are set aside; what has been found stays
    known until a whole round did not find it again.
    """

    def __init__(
        self, *, stores: Stores, active: ActiveModel, reembedder: Reembedder, place: Place
    ) -> None:
        self._store, self._blobs = stores.gallery, stores.blobs
        self._active, self._reembedder, self._place = active, reembedder, place
        self._found: dict[tuple[str, str], Damage] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inspection", daemon=True)
        self.mended = 0
        """How many damaged things have been mended since the start."""
        self.checked_at: str | None = None
        """When the last round that began at the first image ended."""

    @property
    def damage(self) -> list[Damage]:
        """What is known to be damaged and could not be mended."""
        return list(self._found.values())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            pause = _BETWEEN_S
            try:
                place = self._place.get()
                if self._round(place) and place:
                    # What came before that place may have been damaged since it was looked at.
                    continue
            except Exception as exc:  # whatever it is, the next round may fare better
                log.error("the stored data could not be checked", reason=str(exc))
                pause = _RETRY_S
            self._stop.wait(pause)

    def _round(self, place: int) -> bool:
        """Look at images from ``place`` on, and at all else; return whether it got to the end."""
        begun = set(self._found)
        seen: set[tuple[str, str]] = set()
        clock = time.monotonic()
        for damage in self._steps(place):
            if damage:
                seen.add(self._note(damage))
            if self._stop.wait(_REST * (time.monotonic() - clock)):
                return False
            clock = time.monotonic()
        if not place:
            for key in begun - seen:
                self._found.pop(key, None)
            self.checked_at = datetime.now(UTC).isoformat(timespec="seconds")
            log.info("stored data checked", damaged=len(self._found), mended=self.mended)
        return True

    def _note(self, damage: Damage) -> tuple[str, str]:
        log.error("stored data is damaged", what=str(damage))
        key = (damage.kind, damage.item)
        if damage.mended:
            self.mended += 1
        else:
            self._found[key] = damage
        return key

    def _steps(self, place: int) -> Iterator[Damage | None]:
        yield from self._store.check(self._stop.is_set)
        yield from self._vectors()
        yield from self._images(place)

    def _vectors(self) -> Iterator[None]:
        """Give images that have no vector one: theirs may have been damaged."""
        with self._active.use() as model:
            while not self._stop.is_set():
                try:
                    for _ in self._reembedder.missing(model):
                        yield
                    return
                except Overloaded as exc:
                    self._stop.wait(exc.retry_after_s)

    def _images(self, position: int) -> Iterator[Damage | None]:
        whole = True
        while records := self._store.page(position, _PAGE):
            for record in records:
                damage = self._look_at(record)
                whole = whole and not damage
                yield damage
            position = records[-1].position
            # After a find the next start begins anew: what is known is kept in memory alone.
            self._place.put(position if whole else 0)
        self._place.put(0)

    def _look_at(self, record: ImageRecord) -> Damage | None:
        try:
            self._blobs.get(record.sha256)
        except ImageDamaged as exc:
            # What was removed meanwhile is no damage.
            if not self._store.used([record.sha256]):
                return None
            self._blobs.quarantine(record.sha256)
            return Damage("image", record.id, exc.reason)
        except StorageUnavailable as exc:
            return Damage("image", record.id, exc.reason)
        return None
