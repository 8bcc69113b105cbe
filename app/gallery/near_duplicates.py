"""Groups of near-duplicates: images joined by steps no longer than a distance."""

from collections.abc import Iterable, Iterator

from app.storage.gallery_store import GalleryStore

# Pairs that one call of the store may give at most: bounds memory whatever the distance is.
_PAIRS = 10_000_000


def duplicate_groups(store: GalleryStore, model_id: str, max_distance: float) -> list[list[str]]:
    """Return groups of two ids or more, the largest first; ids in order.

    An image belongs to a group when it is within ``max_distance`` (Euclidean) of one of its images:
    single linkage. Time grows with the square of the gallery, memory does not: the store is asked
    for some images at a time, and answers searches in between.
    """
    leaders: dict[str, str] = {}
    step = max(1, min(256, _PAIRS // max(1, store.searchable(model_id))))
    after = 0
    while records := store.page(after, step):
        near = store.within(model_id, [record.id for record in records], max_distance)
        for image_id, others in near.items():
            for other in others:
                _join(leaders, image_id, other)
        after = records[-1].position
    return _sorted(_gathered(leaders))


def _leader(leaders: dict[str, str], image_id: str) -> str:
    while (above := leaders.get(image_id, image_id)) != image_id:
        # Halve the way for the next one who asks.
        leaders[image_id] = leaders.get(above, above)
        image_id = above
    return image_id


def _join(leaders: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((_leader(leaders, one), _leader(leaders, other)))
    leaders[first] = leaders[second] = first


def _gathered(leaders: dict[str, str]) -> Iterator[list[str]]:
    groups: dict[str, list[str]] = {}
    for image_id in list(leaders):
        groups.setdefault(_leader(leaders, image_id), []).append(image_id)
    yield from groups.values()


def _sorted(groups: Iterable[list[str]]) -> list[list[str]]:
    return sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group[0]))
