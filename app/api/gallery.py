"""/gallery: add images, list them, look at one, remove one."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from app.api import schemas
from app.api.deps import (
    Serving,
    clean_filename,
    parse_ids,
    parse_labels,
    parse_metadata,
    read_upload,
)
from app.api.errors import problem_of, request_id_of, status_of
from app.api.problems import problems
from app.catalog import ImageRecord
from app.errors import GemelloError, ParameterInvalid
from app.gallery import AddResult, NewImage
from app.images import thumbnail
from app.service import Service

router = APIRouter(prefix="/gallery", tags=["gallery"])

# Images read into memory, and written in one transaction, at a time.
_CHUNK = 16
# An id may be given other bytes, so a browser asks again; unchanged bytes are a 304.
_CACHE = "private, no-cache"


@router.post(
    "",
    status_code=201,
    summary="Add images",
    response_model=schemas.AddAnswer,
    responses={
        207: {"model": schemas.AddAnswer, "description": "Some were stored, some were not"},
        **problems(400, 401, 403, 409, 413, 415, 422, 429, 503, 507),
    },
)
def add(
    service: Serving,
    request: Request,
    form: Annotated[schemas.AddForm, Form(media_type="multipart/form-data")],
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
            )
            for i in places
        ]
        results += _add_chunk(service, chunk, form.on_conflict, done=results)
    return _answer(request, form.images, results)


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
        schemas.Item(
            index=index,
            filename=clean_filename(upload),
            id=result.id,
            status=result.status,
            error=_item_error(result.error),
        )
        for index, (upload, result) in enumerate(zip(uploads, results, strict=True))
    ]
    counts = {
        status: sum(item.status == status for item in items)
        for status in ("created", "replaced", "skipped", "failed")
    }
    errors = [result.error for result in results if result.error]
    if items and len(errors) == len(items):
        dumped = [item.model_dump() for item in items]
        return problem_of(errors[0], request_id_of(request), items=dumped)
    answer = schemas.AddAnswer(items=items, **counts)
    return JSONResponse(answer.model_dump(), 207 if errors else 201)


def _item_error(error: GemelloError | None) -> schemas.ItemError | None:
    if error is None:
        return None
    return schemas.ItemError(code=error.code, detail=str(error), status=status_of(error))


@router.get("", summary="List images", responses=problems(401, 422, 429, 503))
def list_images(
    service: Serving, query: Annotated[schemas.ListQuery, Query()]
) -> schemas.ListAnswer:
    """Lists images in order of arrival; follow `next_cursor` for more."""
    cursor = query.cursor or "0"
    if not (cursor.isascii() and cursor.isdigit()) or int(cursor) > schemas.MAX_OFFSET:
        raise ParameterInvalid("cursor", "expected the next_cursor of a page")
    records = service.gallery.list_images(int(cursor), query.limit)
    more = len(records) == query.limit
    return schemas.ListAnswer(
        images=[schemas.Image(**image_fields(record)) for record in records],
        total=len(service.gallery),
        next_cursor=str(records[-1].position) if more else None,
    )


@router.get(
    "/{image_id}", summary="Look at one image's record", responses=problems(401, 404, 429, 503)
)
def get(service: Serving, image_id: str) -> schemas.Image:
    return schemas.Image(**image_fields(service.gallery.get(image_id)))


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
    query: Annotated[schemas.ThumbnailQuery, Query()],
) -> Response:
    record = service.gallery.get(image_id)
    if request.headers.get("if-none-match") == _etag(record):
        return _unchanged(record)
    record, data = service.gallery.image(image_id)
    small = thumbnail(data, query.size, service.settings.image_limits)
    return Response(small, media_type="image/webp", headers=_headers(record))


def _unchanged(record: ImageRecord) -> Response:
    return Response(status_code=304, headers=_headers(record))


def _headers(record: ImageRecord) -> dict[str, str]:
    # A stored file is only ever shown as an image, whatever else its bytes may be.
    policy = "default-src 'none'; sandbox"
    return {"ETag": _etag(record), "Cache-Control": _CACHE, "Content-Security-Policy": policy}


def _etag(record: ImageRecord) -> str:
    return f'"{record.sha256}"'


def image_fields(record: ImageRecord) -> dict[str, Any]:
    """What every answer says of a stored image."""
    # An id is stored as given; in a path it must be quoted.
    url = f"/gallery/{quote(record.id, safe='')}"
    return {
        "id": record.id,
        "label": record.label,
        "filename": record.filename,
        "metadata": record.metadata,
        "width": record.width,
        "height": record.height,
        "media_type": record.media_type,
        "bytes": record.bytes,
        "created_at": record.created_at,
        "image_url": f"{url}/image",
        "thumbnail_url": f"{url}/thumbnail",
    }
