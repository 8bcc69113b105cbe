"""/gallery: list images, look at one, find those like it, change it, remove it."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from app.api import requests, responses
from app.api.dependencies import GalleryDep, LargeAnswersDep, SearcherDep
from app.api.elapsed import elapsed_ms
from app.api.fields import check_label, parse_box
from app.api.large_answers import FEW, as_json
from app.api.problems import problems
from app.gallery import query as domain
from app.gallery.metadata import check_metadata
from app.storage.filters import parse_filter

router = APIRouter(prefix="/gallery", tags=["gallery"])


@router.get(
    "",
    summary="List images",
    response_model=responses.ListAnswer,
    responses=problems(401, 422, 429, 503),
)
async def list_images(
    gallery: GalleryDep,
    searcher: SearcherDep,
    large_answers: LargeAnswersDep,
    query: Annotated[requests.ListQuery, Query()],
) -> Response:
    """List images in order of arrival; follow `next_cursor` for more."""

    def listed() -> responses.ListAnswer:
        wanted = parse_filter(query.filter) if query.filter is not None else None
        records = gallery.list_images(int(query.cursor or "0"), query.limit, wanted)
        ids = [record.id for record in records] if "embedding" in query.include else []
        model, vectors = searcher.vectors(ids)
        more = len(records) == query.limit
        return responses.ListAnswer(
            images=[responses.Image.of(record, vectors.get(record.id)) for record in records],
            total=len(gallery),
            next_cursor=str(records[-1].position) if more else None,
            model=responses.ModelInfo.of(model),
        )

    if query.limit > FEW:
        return await large_answers.make(listed)
    return await run_in_threadpool(lambda: as_json(listed()))


@router.get(
    "/{image_id}", summary="Look at one image's record", responses=problems(401, 404, 429, 503)
)
def get(gallery: GalleryDep, image_id: str) -> responses.Image:
    return responses.Image.of(gallery.get(image_id))


@router.patch(
    "/{image_id}",
    summary="Change what is said of an image",
    responses=problems(400, 401, 403, 404, 422, 429, 503, 507),
)
def update(gallery: GalleryDep, image_id: str, changes: requests.Changes) -> responses.Image:
    """Change label and metadata, without a look at the image; durable once it is answered."""
    if changes.label is not None:
        check_label(changes.label, "label")
    check_metadata(changes.metadata)
    # What is not named stays, while a label of null goes.
    return responses.Image.of(gallery.update(image_id, changes.model_dump(exclude_unset=True)))


@router.delete(
    "",
    summary="Remove all images that a filter names",
    responses=problems(401, 403, 422, 429, 503),
)
def remove_where(
    gallery: GalleryDep, query: Annotated[requests.FilterQuery, Query()]
) -> responses.Removed:
    """Answer how many are gone: from the disk, and from every later search."""
    return responses.Removed(removed=gallery.remove_where(parse_filter(query.filter)))


@router.delete(
    "/{image_id}",
    status_code=204,
    summary="Remove an image",
    responses=problems(401, 403, 404, 429, 503),
)
def remove(gallery: GalleryDep, image_id: str) -> Response:
    """Remove an image: 204 means it is gone from the disk and from every later search."""
    gallery.remove(image_id)
    return Response(status_code=204)


@router.get(
    "/{image_id}/similar",
    summary="Find the images most like a stored one",
    response_model=responses.SearchAnswer,
    responses=problems(401, 404, 422, 429, 503),
)
async def similar(
    gallery: GalleryDep,
    searcher: SearcherDep,
    large_answers: LargeAnswersDep,
    image_id: str,
    query: Annotated[requests.SearchOptions, Query()],
) -> Response:
    """Answer the gallery in ascending distance from the image, which is itself left out."""
    start = time.perf_counter()

    def found() -> tuple[domain.SearchPage, str | None]:
        wanted = domain.Query([image_id], box=parse_box(query.box), flip=query.flip)
        return searcher.search(wanted, query.options()), gallery.get(image_id).filename

    page, filename = await run_in_threadpool(found)

    def answer() -> responses.SearchAnswer:
        first = responses.Query.of(
            page.queries[0], image_id=image_id, filename=filename, embedding=query.embeddings
        )
        return responses.SearchAnswer.of(page, first, elapsed_ms(start))

    return as_json(answer()) if len(page.matches) <= FEW else await large_answers.make(answer)
