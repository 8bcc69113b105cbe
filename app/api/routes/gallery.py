"""/gallery: list images, look at one, find those like it, change it, remove it."""

import json
import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api import requests, responses
from app.api.dependencies import DearReadsDep, GalleryDep, SearcherDep
from app.api.elapsed import elapsed_ms
from app.api.fields import check_label, parse_box
from app.api.problems import problems
from app.api.rendering import rendered
from app.gallery import query as domain
from app.gallery.metadata import check_metadata
from app.storage.filters import parse_filter
from app.storage.records import ImageRecord

router = APIRouter(prefix="/gallery", tags=["gallery"])

# Of metadata in one answer: a thousand of the largest would have four times as much.
_PAGE_BYTES = 4_000_000


@router.get(
    "",
    summary="List images",
    response_model=responses.ListAnswer,
    responses=problems(401, 422, 429, 503),
)
def list_images(
    reads: DearReadsDep,
    gallery: GalleryDep,
    searcher: SearcherDep,
    query: Annotated[requests.ListQuery, Query()],
) -> Response:
    """List images in order of arrival; follow `next_cursor` for more.

    A page has fewer images than `limit` where their metadata have more than 4 MB in all.
    """
    wanted = parse_filter(query.filter) if query.filter is not None else None
    embeddings = "embedding" in query.include
    with reads.large(query.limit, vectors=embeddings):
        found = gallery.list_images(int(query.cursor or "0"), query.limit, wanted)
        records = _beginning(found)
        model, vectors = searcher.vectors([record.id for record in records] if embeddings else [])
        more = len(records) < len(found) or len(found) == query.limit
        return rendered(
            responses.ListAnswer(
                images=[responses.Image.of(record, vectors.get(record.id)) for record in records],
                total=len(gallery),
                next_cursor=str(records[-1].position) if more else None,
                model=responses.ModelInfo.of(model),
            )
        )


def _beginning(records: Sequence[ImageRecord]) -> Sequence[ImageRecord]:
    """As many of ``records`` as an answer has room for, and one at least."""
    sizes = accumulate(
        len(json.dumps(record.metadata, ensure_ascii=False).encode()) for record in records
    )
    fitting = sum(size <= _PAGE_BYTES for size in sizes)
    return records[: max(1, fitting)]


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
    """Answer how many are gone: from the disk, and from every later search.

    Thousands go at a time: after an interruption some may be left, and the same call goes on.
    """
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
def similar(
    reads: DearReadsDep,
    gallery: GalleryDep,
    searcher: SearcherDep,
    image_id: str,
    query: Annotated[requests.SearchOptions, Query()],
) -> Response:
    """Answer the gallery in ascending distance from the image, which is itself left out."""
    start = time.perf_counter()
    wanted = domain.Query([image_id], box=parse_box(query.box), flip=query.flip)
    with reads.large(query.top_k, vectors=query.embeddings):
        page = searcher.search(wanted, query.options())
        first = responses.Query.of(
            page.queries[0],
            image_id=image_id,
            filename=gallery.get(image_id).filename,
            embedding=query.embeddings,
        )
        return rendered(responses.SearchAnswer.of(page, first, elapsed_ms(start)))
