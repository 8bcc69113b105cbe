"""/gallery/{id}/image and /thumbnail: what a browser shows."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import requests
from app.api.dependencies import GalleryDep
from app.api.problems import problems
from app.api.streamed import Streamed
from app.storage.records import ImageRecord

router = APIRouter(prefix="/gallery", tags=["gallery"])

# An id may be given other bytes, so a browser asks again; unchanged bytes are a 304.
_CACHE = "private, no-cache"


@router.get(
    "/{image_id}/image",
    summary="Get the bytes as they were uploaded",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}}, **problems(401, 404, 429, 503)},
)
def image(gallery: GalleryDep, request: Request, image_id: str) -> Response:
    record = gallery.get(image_id)
    if _is_current(request, record):
        return _unchanged(record)
    record, stream = gallery.open_image(image_id)
    return Streamed(stream, record.bytes, record.media_type, _headers(record))


@router.get(
    "/{image_id}/thumbnail",
    summary="Get a small WebP",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}, **problems(401, 404, 422, 429, 503)},
)
def thumbnail_of(
    gallery: GalleryDep,
    request: Request,
    image_id: str,
    query: Annotated[requests.ThumbnailQuery, Query()],
) -> Response:
    record = gallery.get(image_id)
    if _is_current(request, record):
        return _unchanged(record)
    record, small = gallery.thumbnail(image_id, query.size)
    return Response(small, media_type="image/webp", headers=_headers(record))


def _is_current(request: Request, record: ImageRecord) -> bool:
    return request.headers.get("if-none-match") == _etag(record)


def _unchanged(record: ImageRecord) -> Response:
    return Response(status_code=304, headers=_headers(record))


def _headers(record: ImageRecord) -> dict[str, str]:
    # A stored file is only ever shown as an image, whatever else its bytes may be.
    policy = "default-src 'none'; frame-ancestors 'none'; sandbox"
    return {"ETag": _etag(record), "Cache-Control": _CACHE, "Content-Security-Policy": policy}


def _etag(record: ImageRecord) -> str:
    return f'"{record.sha256}"'
