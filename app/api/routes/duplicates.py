"""/duplicates and /stats: the gallery as a whole."""

import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import requests, responses
from app.api.dependencies import (
    DearReadsDep,
    GalleryDep,
    InspectorDep,
    JobsDep,
    SearcherDep,
    ServedModelDep,
)
from app.api.elapsed import elapsed_ms
from app.api.problems import problems
from app.api.rendering import rendered
from app.gallery.near_duplicates import Check

router = APIRouter(tags=["gallery"])


# Images of one group, and after how many of all groups an answer ends.
_MEMBERS, _IMAGES = 1_000, 5_000


@router.get(
    "/duplicates",
    summary="Find near-duplicates",
    response_model=responses.DuplicatesAnswer,
    responses=problems(401, 408, 422, 429, 503),
)
async def duplicates(
    request: Request,
    reads: DearReadsDep,
    searcher: SearcherDep,
    gallery: GalleryDep,
    query: Annotated[requests.DuplicatesQuery, Query()],
) -> Response:
    """Answer groups of images that are joined by small distances.

    The first call after a change compares every image with every other, and ends when its caller
    leaves; later ones are quick.
    """

    def answer(check: Check) -> Response:
        start = time.perf_counter()
        model, groups = searcher.duplicates(query.max_distance, check)
        end = _end(groups, query.offset, query.limit)
        shown = groups[query.offset : end]
        records = gallery.records([one for group in shown for one in group[:_MEMBERS]])
        described = responses.DuplicatesAnswer(
            groups=[responses.Group.of(group, _MEMBERS, records) for group in shown],
            total=len(groups),
            offset=query.offset,
            next_offset=end if end < len(groups) else None,
            model=responses.ModelInfo.of(model),
            took_ms=elapsed_ms(start),
        )
        return rendered(described)

    return await reads.long(request, answer)


def _end(groups: Sequence[Sequence[str]], first: int, limit: int) -> int:
    """Where the page that begins with the group ``first`` ends."""
    images, end = 0, first
    while end < min(first + limit, len(groups)) and images < _IMAGES:
        images += min(len(groups[end]), _MEMBERS)
        end += 1
    return end


@router.get("/stats", summary="Count what there is", responses=problems(401, 429, 503))
def stats(
    gallery: GalleryDep, jobs: JobsDep, model: ServedModelDep, inspector: InspectorDep
) -> responses.Stats:
    return responses.Stats.of(
        gallery.summary(),
        searchable=len(gallery),
        jobs=len(jobs.unfinished()),
        model=model,
        quarantined=gallery.quarantined(),
        inspector=inspector,
    )
