"""Groups of near-duplicates: images joined by steps no longer than a distance."""

from collections.abc import Iterable, Iterator

from app.index.vector_index import VectorIndex

# Pairs that one look at the index may give at most: bounds memory whatever the distance is.
_PAIRS = 10_000_000


def duplicate_groups(index: VectorIndex, max_distance: float) -> list[list[str]]:
    """Groups of two ids or more, the largest first; ids in order.

    An image belongs to a group when it is within ``max_distance`` (Euclidean) of one of its images:
    single linkage. Time grows with the square of the gallery, memory does not: the index is asked
    for some images at a time, and answers searches in between.
    """
    leaders: dict[str, str] = {}
    ids = index.ids()
    step = max(1, min(256, _PAIRS // max(1, len(ids))))
    for start in range(0, len(ids), step):
        near = index.within(ids[start : start + step], max_distance)
        for image_id, others in near.items():
            for other in others:
                _join(leaders, image_id, other)
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
