"""Calls that compare images: searches, embeddings, near-duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gemello.client import results
from gemello.client.calls.call import (
    Call,
    Filter,
    Picture,
    decoded_as,
    files_of,
    filter_text,
    form_fields,
    image_path,
)

Box = tuple[float, float, float, float]
"""A part of a picture: left, top, right, bottom, as shares of its sides in 0–1."""
Combine = Literal["best", "mean"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Which part of the ranking a search answers, and with what."""

    top_k: int
    offset: int
    max_distance: float | None
    min_score: float | None
    match_false_alarms: float | None
    filter: Filter | None
    group_by: str | None
    flip: bool
    embeddings: bool

    def options(self) -> dict[str, Any]:
        """Return it in the service's own names."""
        return {
            "top_k": self.top_k,
            "offset": self.offset,
            "max_distance": self.max_distance,
            "min_score": self.min_score,
            "match_false_alarms": self.match_false_alarms,
            "filter": filter_text(self.filter),
            "group_by": self.group_by,
            "flip": "true" if self.flip else None,
            "include": "embedding" if self.embeddings else None,
        }


def search(
    like: Sequence[Picture | str],
    unlike: Sequence[Picture | str],
    box: Box | None,
    combine: Combine,
    ranking: Ranking,
) -> Call[results.SearchAnswer]:
    options = {
        **ranking.options(),
        "combine": combine,
        "box": None if box is None else ",".join(map(str, box)),
        "id": [image for image in like if isinstance(image, str)],
        "unlike_id": [image for image in unlike if isinstance(image, str)],
    }
    files = [*files_of("image", like), *files_of("unlike", unlike)]
    return Call(
        "POST", "/search", decoded_as(results.SearchAnswer), data=form_fields(options), files=files
    )


def search_batch(images: Sequence[Picture], ranking: Ranking) -> Call[results.BatchAnswer]:
    return Call(
        "POST",
        "/search/batch",
        decoded_as(results.BatchAnswer),
        data=form_fields(ranking.options()),
        files=files_of("images", images),
    )


def similar(image_id: str, ranking: Ranking) -> Call[results.SearchAnswer]:
    path = image_path(image_id, "similar")
    return Call("GET", path, decoded_as(results.SearchAnswer), form_fields(ranking.options()))


def embed(images: Sequence[Picture]) -> Call[results.EmbedAnswer]:
    files = files_of("images", images)
    return Call("POST", "/embed", decoded_as(results.EmbedAnswer), files=files)


def compare(
    first: Picture | str, second: Picture | str, match_false_alarms: float | None
) -> Call[results.Comparison]:
    images = (first, second)
    ids = [image for image in images if isinstance(image, str)]
    return Call(
        "POST",
        "/compare",
        decoded_as(results.Comparison),
        data=form_fields({"id": ids, "match_false_alarms": match_false_alarms}),
        files=files_of("images", images),
    )


def duplicates(max_distance: float, limit: int, offset: int) -> Call[results.Duplicates]:
    params = form_fields({"max_distance": max_distance, "limit": limit, "offset": offset})
    return Call("GET", "/duplicates", decoded_as(results.Duplicates), params)
