"""Groups of near-duplicates: images joined by steps no longer than a distance."""

from collections.abc import Callable
from itertools import count

from app.storage.gallery_store import GalleryStore

Check = Callable[[], None]
"""Is called now and then by long work, and ends it by raising."""

# Pairs that one call of the store may give at most: bounds memory, and how long a search waits beside
# it, whatever the distance is.
_PAIRS = 2_000_000


def duplicate_groups(
    store: GalleryStore, model_id: str, max_distance: float, check: Check = lambda: None
) -> list[list[str]]:
    """Return groups of two ids or more, the largest first; ids in order.

    An image belongs to a group when it is within ``max_distance`` (Euclidean) of one of its images:
    single linkage. Time grows with the square of the gallery, memory does not: the store is asked
    for some images at a time, answers searches in between, and ``check`` is called.
    """
    groups = _Groups()
    step = max(1, min(256, _PAIRS // max(1, store.searchable(model_id))))
    after = 0
    while records := store.page(after, step):
        check()
        near = store.within(model_id, [record.id for record in records], max_distance)
        for image_id, others in near.items():
            if others:
                groups.join([image_id, *others])
        after = records[-1].position
    return groups.sorted()


class _Groups:
    """Which ids belong together: each has its group's number, and of two that meet the smaller one ends."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._members: dict[int, list[str]] = {}
        self._numbers = count()

    def join(self, ids: list[str]) -> None:
        """Let all of ``ids`` be in one group."""
        # Among many alike images they nearly always are already, so that this must be quick.
        met = set(map(self._number_of.get, ids))
        if len(met) == 1 and None not in met:
            return
        known = [number for number in met if number is not None]
        known.sort(key=lambda number: len(self._members[number]), reverse=True)
        largest = known[0] if known else next(self._numbers)
        self._move([one for one in ids if one not in self._number_of], largest)
        for smaller in known[1:]:
            self._move(self._members.pop(smaller), largest)

    def _move(self, ids: list[str], number: int) -> None:
        self._members.setdefault(number, []).extend(ids)
        self._number_of.update(dict.fromkeys(ids, number))

    def sorted(self) -> list[list[str]]:
        """Return the groups, the largest first, each in order."""
        groups = map(sorted, self._members.values())
        return sorted(groups, key=lambda group: (-len(group), group[0]))
