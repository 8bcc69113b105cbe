"""POST /search: the gallery sorted by distance from an image."""

import time
from typing import Annotated

from fastapi import APIRouter, Form, Query

from app.api import schemas
from app.api.deps import Serving, clean_filename, read_upload
from app.api.gallery import image_fields
from app.api.problems import problems
from app.service import Service

router = APIRouter(tags=["search"])


@router.post(
    "/search",
    summary="Find the images most like one",
    responses=problems(400, 401, 413, 415, 422, 429, 503),
)
def search(
    service: Serving,
    form: Annotated[schemas.SearchForm, Form(media_type="multipart/form-data")],
    query: Annotated[schemas.SearchOptions, Query()],
) -> schemas.SearchAnswer:
    """Answers the gallery in ascending Euclidean distance from the uploaded image.

    Options may be form fields or query parameters; a form field wins. The image is not stored.
    """
    start = time.perf_counter()
    options = {**query.model_dump(exclude_unset=True), **form.model_dump(exclude_unset=True)}
    page = service.gallery.search(
        read_upload(form.image, service.settings.max_image_bytes),
        options.get("top_k", form.top_k),
        options.get("offset", form.offset),
    )
    return schemas.SearchAnswer(
        query=schemas.Query(
            filename=clean_filename(form.image), width=page.query.width, height=page.query.height
        ),
        results=[
            schemas.Result(
                rank=match.rank,
                distance=match.distance,
                score=service.score(match.distance),
                match=service.match(match.distance),
                **image_fields(match.image),
            )
            for match in page.matches
        ],
        total=page.total,
        offset=page.offset,
        next_offset=page.next_offset,
        model=model_info(service),
        took_ms=round((time.perf_counter() - start) * 1000, 2),
    )


def model_info(service: Service) -> schemas.ModelInfo:
    manifest = service.bundle.manifest
    return schemas.ModelInfo(name=manifest.name, version=manifest.version, id=manifest.model_id)
