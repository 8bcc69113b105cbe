"""POST /search and its relatives: the gallery sorted by distance from images."""

import time
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.api import requests, responses
from app.api.dependencies import LargeAnswersDep, SearcherDep, UploadLimitsDep
from app.api.elapsed import elapsed_ms
from app.api.fields import parse_box
from app.api.large_answers import FEW, as_json
from app.api.multi_status import multi_status
from app.api.problems import problems
from app.api.uploads import UploadLimits, clean_filename
from app.errors import ImageError, ParameterInvalid
from app.gallery import query as domain
from app.gallery.search import Searcher

router = APIRouter(tags=["search"])

# Query images of one search; each costs an inference and a scan.
MAX_QUERIES = 16

_READING = problems(400, 401, 413, 415, 422, 429, 503)
_SOME_REFUSED = "Some files are not images"


@router.post(
    "/search",
    summary="Find the images most like one",
    response_model=responses.SearchAnswer,
    responses={**_READING, **problems(404)},
)
async def search(
    searcher: SearcherDep,
    limits: UploadLimitsDep,
    large_answers: LargeAnswersDep,
    form: Annotated[requests.SearchForm, Form(media_type="multipart/form-data")],
    query: Annotated[requests.SearchOptions, Query()],
) -> Response:
    """Answer the gallery in ascending Euclidean distance from an image, or from a stored one.

    Options may be form fields or query parameters; a form field wins. The image is not stored.
    """
    start = time.perf_counter()
    options = requests.overridden(query, form)
    page = await run_in_threadpool(_found, searcher, limits, form, options)

    def answer() -> responses.SearchAnswer:
        first = responses.Query.of(
            page.queries[0],
            image_id=None if form.image else form.id[0],
            filename=clean_filename(form.image[0]) if form.image else None,
            embedding=options.embeddings,
        )
        return responses.SearchAnswer.of(page, first, elapsed_ms(start))

    return as_json(answer()) if len(page.matches) <= FEW else await large_answers.make(answer)


def _found(
    searcher: Searcher,
    limits: UploadLimits,
    form: requests.SearchForm,
    options: requests.SearchOptions,
) -> domain.SearchPage:
    count = len(form.image) + len(form.unlike) + len(form.id) + len(form.unlike_id)
    if count > MAX_QUERIES:
        raise ParameterInvalid("images", f"{count} images; at most {MAX_QUERIES} at once")
    if not form.image and not form.id:
        raise ParameterInvalid("image", "send an image, or the id of a stored one")
    wanted = domain.Query(
        like=[*(limits.read(upload) for upload in form.image), *form.id],
        unlike=[*(limits.read(upload) for upload in form.unlike), *form.unlike_id],
        combine=options.combine,
        box=parse_box(options.box),
        flip=options.flip,
    )
    return searcher.search(wanted, options.options())


@router.post(
    "/search/batch",
    summary="Search for several images at once",
    response_model=responses.BatchAnswer,
    responses={
        207: {"model": responses.BatchAnswer, "description": _SOME_REFUSED},
        **_READING,
    },
)
def search_batch(
    searcher: SearcherDep,
    limits: UploadLimitsDep,
    request: Request,
    form: Annotated[requests.BatchForm, Form(media_type="multipart/form-data")],
    query: Annotated[requests.RankOptions, Query()],
) -> Response:
    """Answer each image as `/search` would, in the order sent; options hold for all of them."""
    start = time.perf_counter()
    options = requests.overridden(query, form)
    model, pages = searcher.search_each(
        limits.read_all(form.images), options.options(), flip=options.flip
    )
    items = [
        responses.BatchItem.of(
            index, page, filename=clean_filename(upload), embedding=options.embeddings
        )
        for index, (upload, page) in enumerate(zip(form.images, pages, strict=True))
    ]
    answer = responses.BatchAnswer(
        items=items, model=responses.ModelInfo.of(model), took_ms=elapsed_ms(start)
    )
    return multi_status(request, answer, [page for page in pages if isinstance(page, ImageError)])


@router.post(
    "/embed",
    summary="Get the embeddings of images",
    response_model=responses.EmbedAnswer,
    responses={
        207: {"model": responses.EmbedAnswer, "description": _SOME_REFUSED},
        **_READING,
    },
)
def embed(
    searcher: SearcherDep,
    limits: UploadLimitsDep,
    request: Request,
    form: Annotated[requests.EmbedForm, Form(media_type="multipart/form-data")],
) -> Response:
    """Answer each image's vector, in the order sent; Euclidean distances between them compare."""
    embeddings = searcher.embed(limits.read_all(form.images))
    answer = responses.EmbedAnswer.of(embeddings, [clean_filename(each) for each in form.images])
    errors = [image for image in embeddings.images if isinstance(image, ImageError)]
    return multi_status(request, answer, errors)


@router.post(
    "/compare",
    summary="How alike are two images?",
    responses={**_READING, **problems(404)},
)
def compare(
    searcher: SearcherDep,
    limits: UploadLimitsDep,
    form: Annotated[requests.CompareForm, Form(media_type="multipart/form-data")],
) -> responses.Comparison:
    """Answer the distance between two images, uploaded or stored, and whether they match."""
    if len(form.images) + len(form.id) != 2:
        raise ParameterInvalid("images", "send two images, or ids of stored ones, in all")
    compared = searcher.compare([*limits.read_all(form.images), *form.id], form.match_false_alarms)
    return responses.Comparison.of(compared)
