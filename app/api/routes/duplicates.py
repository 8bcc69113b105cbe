"""/duplicates and /stats: the gallery as a whole."""

import time
from typing import Annotated

from fastapi import APIRouter, Query

from app.api import requests, responses
from app.api.dependencies import GalleryDep, InspectorDep, JobsDep, SearcherDep, ServedModelDep
from app.api.elapsed import elapsed_ms
from app.api.problems import problems

router = APIRouter(tags=["gallery"])


@router.get("/duplicates", summary="Find near-duplicates", responses=problems(401, 422, 429, 503))
def duplicates(
    searcher: SearcherDep,
    gallery: GalleryDep,
    query: Annotated[requests.DuplicatesQuery, Query()],
) -> responses.DuplicatesAnswer:
    """Answer groups of images that are joined by small distances.

    The first call after a change compares every image with every other; later ones are quick.
    """
    start = time.perf_counter()
    model, groups = searcher.duplicates(query.max_distance)
    end = query.offset + query.limit
    shown = groups[query.offset : end]
    records = gallery.records([image_id for group in shown for image_id in group])
    return responses.DuplicatesAnswer(
        groups=[responses.Group.of(group, records) for group in shown],
        total=len(groups),
        offset=query.offset,
        next_offset=end if end < len(groups) else None,
        model=responses.ModelInfo.of(model),
        took_ms=elapsed_ms(start),
    )


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
