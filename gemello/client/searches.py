"""Calls that compare images: searches, embeddings, near-duplicates."""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from gemello.client import results
from gemello.client.call import (
    Call,
    Filter,
    Picture,
    files_of,
    filter_text,
    given,
    image_path,
    parsed_as,
)


class Ranking(TypedDict, total=False):
    """What every search may be asked for besides.

    ``top_k`` (10) results from the ``offset``th on, no farther than ``max_distance``, with a
    ``score`` of at least ``min_score``, among the images that ``filter`` names, the best of each
    value of ``group_by``; ``flip`` takes the query's mirror image for the same, ``embeddings`` asks
    for the results' own.
    """

    top_k: int
    offset: int
    max_distance: float | None
    min_score: float | None
    filter: Filter | None
    group_by: str | None
    flip: bool
    embeddings: bool


def search(
    *like: Picture | str,
    box: tuple[float, float, float, float] | None = None,
    combine: str = "best",
    unlike: Sequence[Picture | str] = (),
    **ranking: Unpack[Ranking],
) -> Call[results.SearchAnswer]:
    """The gallery sorted by distance from one image or several, which are not stored.

    Each result has ``distance``, ``score`` (probability of a match) and ``match`` (whether it is
    near enough to be called one); both are None with a model that is not calibrated. ``match`` of
    the whole answer is False when nothing in the gallery is one. ``Ranking`` has the other options.
    """
    options = {
        **_options(ranking),
        "combine": combine,
        "box": None if box is None else ",".join(map(str, box)),
        "id": [image for image in like if isinstance(image, str)],
        "unlike_id": [image for image in unlike if isinstance(image, str)],
    }
    files = [*files_of("image", like), *files_of("unlike", unlike)]
    return Call(
        "POST", "/search", parsed_as(results.SearchAnswer), data=given(options), files=files
    )


def search_batch(
    images: Sequence[Picture], **ranking: Unpack[Ranking]
) -> Call[results.BatchAnswer]:
    """A search for each image; a file that is no image is an item with an error."""
    return Call(
        "POST",
        "/search/batch",
        parsed_as(results.BatchAnswer),
        data=given(_options(ranking)),
        files=files_of("images", images),
    )


def similar(image_id: str, **ranking: Unpack[Ranking]) -> Call[results.SearchAnswer]:
    """The gallery sorted by distance from a stored image, which is itself left out."""
    path = image_path(image_id, "similar")
    return Call("GET", path, parsed_as(results.SearchAnswer), given(_options(ranking)))


def embed(images: Sequence[Picture]) -> Call[results.EmbedAnswer]:
    """The embedding of each image; a file that is no image is an item with an error."""
    return Call("POST", "/embed", parsed_as(results.EmbedAnswer), files=files_of("images", images))


def compare(first: Picture | str, second: Picture | str) -> Call[results.Comparison]:
    """How alike two images are, uploaded or stored."""
    images = (first, second)
    ids = [image for image in images if isinstance(image, str)]
    return Call(
        "POST",
        "/compare",
        parsed_as(results.Comparison),
        data=given({"id": ids}),
        files=files_of("images", images),
    )


def duplicates(
    *, max_distance: float = 0.25, limit: int = 100, offset: int = 0
) -> Call[results.Duplicates]:
    """Groups of near-duplicates, joined by steps no longer than ``max_distance``."""
    params = given({"max_distance": max_distance, "limit": limit, "offset": offset})
    return Call("GET", "/duplicates", parsed_as(results.Duplicates), params)


def _options(ranking: Ranking) -> dict[str, Any]:
    """As the service names them. Raises ``TypeError`` for a name that is none."""
    for name in ranking.keys() - Ranking.__annotations__.keys():
        raise TypeError(f"a search has no option {name!r}")
    options: dict[str, Any] = {"top_k": 10, **ranking}
    flip, embeddings = options.pop("flip", False), options.pop("embeddings", False)
    return {
        **options,
        "filter": filter_text(ranking.get("filter")),
        "flip": "true" if flip else None,
        "include": "embedding" if embeddings else None,
    }
