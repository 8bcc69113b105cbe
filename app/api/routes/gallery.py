"""/gallery: add images, list them, look at one, change it, remove it."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile

from app.api import requests as forms
from app.api import responses as answers
from app.api.deps import (
    Serving,
    check_label,
    clean_filename,
    parse_box,
    parse_embeddings,
    parse_ids,
    parse_labels,
    parse_metadata,
    parse_urls,
    read_upload,
)
from app.api.items import item_error, mixed
from app.api.problems import problems
from app.api.records import image_fields, model_info
from app.api.routes.jobs import job_fields
from app.api.routes.search import page_fields, query_fields, ranking, took_ms
from app.errors import GemelloError, ParameterInvalid
from app.gallery.metadata import check_metadata
from app.gallery.new_image import AddResult, NewImage
from app.gallery.query import Query as Asked
from app.service import Service
from app.storage.filters import parse_filter
from app.storage.records import ImageRecord

router = APIRouter(prefix="/gallery", tags=["gallery"])

# Images read into memory, and written in one transaction, at a time.
_CHUNK = 16
# An id may be given other bytes, so a browser asks again; unchanged bytes are a 304.
_CACHE = "private, no-cache"


@router.post(
    "",
    status_code=201,
    summary="Add images",
    response_model=answers.AddAnswer,
    responses={
        207: {"model": answers.AddAnswer, "description": "Some were stored, some were not"},
        **problems(400, 401, 403, 409, 413, 415, 422, 429, 503, 507),
    },
)
def add(
    service: Serving,
    request: Request,
    form: Annotated[forms.AddForm, Form(media_type="multipart/form-data")],
) -> Response:
    """Stores every image that can be decoded; 201 means all are on disk and searchable.

    With some refused the status is 207; with all refused it is the first one's own, and `items`
    says why for each.
    """
    count, limit = len(form.images), service.settings.max_images_per_request
    if count > limit:
        raise ParameterInvalid(
            "images", f"{count} files; at most {limit} (setting MAX_IMAGES_PER_REQUEST)"
        )
    ids = parse_ids(form.ids, count)
    labels = parse_labels(form.labels, count)
    metadata = parse_metadata(form.metadata, count)
    vectors = parse_embeddings(form.embeddings, count)
    results: list[AddResult] = []
    for start in range(0, count, _CHUNK):
        places = range(start, min(start + _CHUNK, count))
        chunk = [
            NewImage(
                data=read_upload(form.images[i], service.settings.max_image_bytes),
                id=ids[i],
                filename=clean_filename(form.images[i]),
                label=labels[i],
                metadata=metadata[i],
                vector=vectors[i],
                model_id=form.embeddings_model,
            )
            for i in places
        ]
        results += _add_chunk(service, chunk, form.on_conflict, done=results)
    return _answer(request, form.images, results)


@router.post(
    "/import",
    status_code=202,
    summary="Import many images",
    responses=problems(400, 401, 403, 413, 422, 429, 503, 507),
)
def import_many(
    service: Serving,
    form: Annotated[forms.ImportForm, Form(media_type="multipart/form-data")],
) -> answers.Job:
    """Takes an archive, a folder of the service's machine, or addresses on the web.

    Answers the job that does it: `/jobs/{id}` says how far it is and what could not be added, and
    why. It goes on after a restart.
    """
    sources = [form.archive, form.folder, form.urls]
    if sum(source is not None for source in sources) != 1:
        raise ParameterInvalid("archive", "send one of archive, folder and urls")
    imports = service.imports
    if form.archive is not None:
        job = imports.archive(form.archive.file, form.on_conflict)
    elif form.folder is not None:
        job = imports.folder(form.folder, form.on_conflict)
    else:
        job = imports.urls(parse_urls(form.urls), form.on_conflict)
    service.runner.wake()
    return answers.Job(**job_fields(job))


def _add_chunk(
    service: Service, chunk: list[NewImage], on_conflict: Any, done: Sequence[AddResult]
) -> list[AddResult]:
    """Once a part of the upload is stored, a failure of the rest must not hide that."""
    try:
        return service.gallery.add(chunk, on_conflict)
    except GemelloError as exc:
        if not any(result.status != "failed" for result in done):
            raise
        return [AddResult("failed", new.id, exc) for new in chunk]


def _answer(
    request: Request, uploads: Sequence[UploadFile], results: Sequence[AddResult]
) -> Response:
    items = [
        answers.Item(
            index=index,
            filename=clean_filename(upload),
            id=result.id,
            status=result.status,
            error=item_error(result.error),
        )
        for index, (upload, result) in enumerate(zip(uploads, results, strict=True))
    ]
    counts = {
        status: sum(item.status == status for item in items)
        for status in ("created", "replaced", "skipped", "failed")
    }
    errors = [result.error for result in results if result.error]
    return mixed(request, answers.AddAnswer(items=items, **counts), errors, len(items), 201)


@router.get("", summary="List images", responses=problems(401, 422, 429, 503))
def list_images(service: Serving, query: Annotated[forms.ListQuery, Query()]) -> answers.ListAnswer:
    """Lists images in order of arrival; follow `next_cursor` for more."""
    cursor = query.cursor or "0"
    wanted = parse_filter(query.filter) if query.filter is not None else None
    records = service.gallery.list_images(int(cursor), query.limit, wanted)
    ids = [record.id for record in records] if "embedding" in query.include else []
    model, vectors = service.searcher.vectors(ids)
    more = len(records) == query.limit
    return answers.ListAnswer(
        images=[answers.Image(**image_fields(r, vectors.get(r.id))) for r in records],
        total=len(service.gallery),
        next_cursor=str(records[-1].position) if more else None,
        model=model_info(model),
    )


@router.get(
    "/{image_id}", summary="Look at one image's record", responses=problems(401, 404, 429, 503)
)
def get(service: Serving, image_id: str) -> answers.Image:
    return answers.Image(**image_fields(service.gallery.get(image_id)))


@router.patch(
    "/{image_id}",
    summary="Change what is said of an image",
    responses=problems(400, 401, 403, 404, 422, 429, 503, 507),
)
def update(service: Serving, image_id: str, changes: forms.Changes) -> answers.Image:
    """Changes label and metadata, without a look at the image; durable once it is answered."""
    given = changes.model_dump(exclude_unset=True)
    if given.get("label") is not None:
        check_label(given["label"], "label")
    check_metadata(given.get("metadata", {}))
    return answers.Image(**image_fields(service.gallery.update(image_id, given)))


@router.delete(
    "",
    summary="Remove all images that a filter names",
    responses=problems(401, 403, 422, 429, 503),
)
def remove_where(service: Serving, query: Annotated[forms.FilterQuery, Query()]) -> answers.Removed:
    """Answers how many are gone: from the disk, and from every later search."""
    return answers.Removed(removed=service.gallery.remove_where(parse_filter(query.filter)))


@router.delete(
    "/{image_id}",
    status_code=204,
    summary="Remove an image",
    responses=problems(401, 403, 404, 429, 503),
)
def remove(service: Serving, image_id: str) -> Response:
    """204 means it is gone from the disk and from every later search."""
    service.gallery.remove(image_id)
    return Response(status_code=204)


@router.get(
    "/{image_id}/similar",
    summary="Find the images most like a stored one",
    responses=problems(401, 404, 422, 429, 503),
)
def similar(
    service: Serving, image_id: str, query: Annotated[forms.SearchOptions, Query()]
) -> answers.SearchAnswer:
    """Answers the gallery in ascending distance from the image, which is itself left out."""
    start = time.perf_counter()
    asked = Asked([image_id], box=parse_box(query.box), flip=query.flip)
    page = service.searcher.search(asked, ranking(query))
    record = service.gallery.get(image_id)
    first = query_fields(page.queries[0], image_id, record.filename, query)
    return answers.SearchAnswer(
        **page_fields(page, first),
        model=model_info(page.model),
        took_ms=took_ms(start),
    )


@router.get(
    "/{image_id}/image",
    summary="Get the bytes as they were uploaded",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}}, **problems(401, 404, 429, 503)},
)
def image(service: Serving, request: Request, image_id: str) -> Response:
    record = service.gallery.get(image_id)
    if request.headers.get("if-none-match") == _etag(record):
        return _unchanged(record)
    record, data = service.gallery.image(image_id)
    return Response(data, media_type=record.media_type, headers=_headers(record))


@router.get(
    "/{image_id}/thumbnail",
    summary="Get a small WebP",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}, **problems(401, 404, 422, 429, 503)},
)
def thumbnail_of(
    service: Serving,
    request: Request,
    image_id: str,
    query: Annotated[forms.ThumbnailQuery, Query()],
) -> Response:
    record = service.gallery.get(image_id)
    if request.headers.get("if-none-match") == _etag(record):
        return _unchanged(record)
    record, small = service.gallery.thumbnail(image_id, query.size)
    return Response(small, media_type="image/webp", headers=_headers(record))


def _unchanged(record: ImageRecord) -> Response:
    return Response(status_code=304, headers=_headers(record))


def _headers(record: ImageRecord) -> dict[str, str]:
    # A stored file is only ever shown as an image, whatever else its bytes may be.
    policy = "default-src 'none'; sandbox"
    return {"ETag": _etag(record), "Cache-Control": _CACHE, "Content-Security-Policy": policy}


def _etag(record: ImageRecord) -> str:
    return f'"{record.sha256}"'
