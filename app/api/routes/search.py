"""POST /search and its relatives: the gallery sorted by distance from images."""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import APIRouter, Form, Query, Request, Response, UploadFile

from app.api import requests as forms
from app.api import responses as answers
from app.api.deps import Serving, clean_filename, parse_box, read_upload
from app.api.items import item_error, mixed
from app.api.problems import problems
from app.api.records import image_fields, model_info
from app.errors import ImageError, ParameterInvalid
from app.gallery.query import Options, SearchPage
from app.gallery.query import Query as Asked
from app.inference.embedder import Embedded
from app.service import Service
from app.storage.filters import parse_filter

router = APIRouter(tags=["search"])

# Query images of one search; each costs an inference and a scan.
MAX_QUERIES = 16
T = TypeVar("T", bound=forms.RankOptions)

_READING = problems(400, 401, 413, 415, 422, 429, 503)


@router.post(
    "/search",
    summary="Find the images most like one",
    responses={**_READING, **problems(404)},
)
def search(
    service: Serving,
    form: Annotated[forms.SearchForm, Form(media_type="multipart/form-data")],
    query: Annotated[forms.SearchOptions, Query()],
) -> answers.SearchAnswer:
    """Answers the gallery in ascending Euclidean distance from an image, or from a stored one.

    Options may be form fields or query parameters; a form field wins. The image is not stored.
    """
    start = time.perf_counter()
    options = _joined(query, form)
    uploads = [*form.image, *form.unlike]
    _check_number(len(uploads) + len(form.id) + len(form.unlike_id), MAX_QUERIES)
    if not form.image and not form.id:
        raise ParameterInvalid("image", "send an image, or the id of a stored one")
    limit = service.settings.max_image_bytes
    asked = Asked(
        like=[*(read_upload(upload, limit) for upload in form.image), *form.id],
        unlike=[*(read_upload(upload, limit) for upload in form.unlike), *form.unlike_id],
        combine=options.combine,
        box=parse_box(options.box),
        flip=options.flip,
    )
    page = service.searcher.search(asked, ranking(options))
    name = clean_filename(form.image[0]) if form.image else None
    first = query_fields(page.queries[0], None if form.image else form.id[0], name, options)
    return answers.SearchAnswer(
        **page_fields(page, first),
        model=model_info(page.model),
        took_ms=took_ms(start),
    )


@router.post(
    "/search/batch",
    summary="Search for several images at once",
    response_model=answers.BatchAnswer,
    responses={
        207: {"model": answers.BatchAnswer, "description": "Some files are no images"},
        **_READING,
    },
)
def search_batch(
    service: Serving,
    request: Request,
    form: Annotated[forms.BatchForm, Form(media_type="multipart/form-data")],
    query: Annotated[forms.RankOptions, Query()],
) -> Response:
    """Answers each image as `/search` would, in the order sent; options hold for all of them."""
    start = time.perf_counter()
    options = _joined(query, form)
    model, found = service.searcher.search_each(
        read_all(service, form.images), ranking(options), flip=options.flip
    )
    items = []
    for index, (upload, page) in enumerate(zip(form.images, found, strict=True)):
        answer, error = None, None
        if isinstance(page, ImageError):
            error = item_error(page)
        else:
            first = query_fields(page.queries[0], None, clean_filename(upload), options)
            answer = answers.Page(**page_fields(page, first))
        items.append(answers.BatchItem(index=index, answer=answer, error=error))
    errors = [page for page in found if isinstance(page, ImageError)]
    whole = answers.BatchAnswer(items=items, model=model_info(model), took_ms=took_ms(start))
    return mixed(request, whole, errors, len(items))


@router.post(
    "/embed",
    summary="Get the embeddings of images",
    response_model=answers.EmbedAnswer,
    responses={
        207: {"model": answers.EmbedAnswer, "description": "Some files are no images"},
        **_READING,
    },
)
def embed(
    service: Serving,
    request: Request,
    form: Annotated[forms.EmbedForm, Form(media_type="multipart/form-data")],
) -> Response:
    """Answers each image's vector, in the order sent; Euclidean distances between them compare."""
    found = service.searcher.embed(read_all(service, form.images))
    items = [
        answers.EmbedItem(
            index=index,
            filename=clean_filename(upload),
            embedding=None if isinstance(image, ImageError) else image.vectors[0].tolist(),
            error=item_error(image) if isinstance(image, ImageError) else None,
        )
        for index, (upload, image) in enumerate(zip(form.images, found.images, strict=True))
    ]
    whole = answers.EmbedAnswer(
        items=items, dimension=found.model.dimension, model=model_info(found.model)
    )
    errors = [image for image in found.images if isinstance(image, ImageError)]
    return mixed(request, whole, errors, len(items))


@router.post(
    "/compare",
    summary="How alike are two images?",
    responses={**_READING, **problems(404)},
)
def compare(
    service: Serving, form: Annotated[forms.CompareForm, Form(media_type="multipart/form-data")]
) -> answers.Comparison:
    """Answers the distance between two images, uploaded or stored, and whether they match."""
    if len(form.images) + len(form.id) != 2:
        raise ParameterInvalid("images", "send two images, or ids of stored ones, in all")
    found = service.searcher.embed([*read_all(service, form.images), *form.id])
    first, second = (image.vectors[0].astype(np.float64) for image in found.good())
    distance = float(np.linalg.norm(first - second))
    return answers.Comparison(
        distance=distance,
        score=found.model.score(distance),
        match=found.model.match(distance),
        model=model_info(found.model),
    )


def ranking(options: forms.RankOptions) -> Options:
    """The domain's options. Raises ``ParameterInvalid``."""
    return Options(
        top_k=options.top_k,
        offset=options.offset,
        max_distance=options.max_distance,
        min_score=options.min_score,
        filter=parse_filter(options.filter) if options.filter is not None else None,
        group_by=options.group_by,
        embeddings="embedding" in options.include,
    )


def _joined(query: T, form: forms.RankOptions) -> T:
    names = form.model_fields_set & set(type(query).model_fields)
    return query.model_copy(update={name: getattr(form, name) for name in names})


def page_fields(page: SearchPage, first: answers.Query) -> Mapping[str, Any]:
    """What every page of results says."""
    return {
        "query": first,
        "results": [
            answers.Result(
                rank=match.rank,
                distance=match.distance,
                score=page.model.score(match.distance),
                match=page.model.match(match.distance),
                group=match.group,
                **image_fields(match.image, match.vector),
            )
            for match in page.matches
        ],
        "match": _any_match(page),
        "total": page.total,
        "offset": page.offset,
        "next_offset": page.next_offset,
    }


def _any_match(page: SearchPage) -> bool | None:
    if page.nearest is not None:
        return page.model.match(page.nearest)
    return None if page.model.calibration is None else False


def query_fields(
    image: Embedded, image_id: str | None, name: str | None, options: forms.RankOptions
) -> answers.Query:
    return answers.Query(
        id=image_id,
        filename=name,
        width=image.width,
        height=image.height,
        embedding=image.vectors[0].tolist() if "embedding" in options.include else None,
    )


def read_all(service: Service, uploads: Sequence[UploadFile]) -> list[bytes]:
    """The bytes of a bounded number of files. Raises ``ParameterInvalid``."""
    _check_number(len(uploads), service.settings.max_images_per_request)
    return [read_upload(upload, service.settings.max_image_bytes) for upload in uploads]


def _check_number(count: int, limit: int) -> None:
    if count > limit:
        raise ParameterInvalid("images", f"{count} images; at most {limit} at once")


def took_ms(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
