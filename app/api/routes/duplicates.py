"""/duplicates and /stats: the gallery as a whole."""

import time
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.api import requests as forms
from app.api import responses as answers
from app.api.deps import Serving
from app.api.problems import problems
from app.api.records import image_fields, model_info
from app.api.routes.search import took_ms

router = APIRouter(tags=["gallery"])


@router.get("/duplicates", summary="Find near-duplicates", responses=problems(401, 422, 429, 503))
def duplicates(
    service: Serving, query: Annotated[forms.DuplicatesQuery, Query()]
) -> answers.DuplicatesAnswer:
    """Answers groups of images that are joined by small distances.

    The first call after a change compares every image with every other; later ones are quick.
    """
    start = time.perf_counter()
    model, groups = service.searcher.duplicates(query.max_distance)
    end = query.offset + query.limit
    shown = groups[query.offset : end]
    records = service.gallery.records([image_id for group in shown for image_id in group])
    return answers.DuplicatesAnswer(
        groups=[
            answers.Group(
                images=[answers.Image(**image_fields(records[i])) for i in group if i in records]
            )
            for group in shown
        ],
        total=len(groups),
        offset=query.offset,
        next_offset=end if end < len(groups) else None,
        model=model_info(model),
        took_ms=took_ms(start),
    )


@router.get("/stats", summary="Count what there is", responses=problems(401, 429, 503))
def stats(service: Serving) -> answers.Stats:
    return answers.Stats(
        **asdict(service.gallery.summary()),
        searchable=len(service.gallery),
        jobs=len(service.jobs.unfinished()),
        model=model_info(service.active.model.manifest),
    )
