"""POST /search and its relatives: the gallery sorted by distance from images."""

import time
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from app.api import requests, responses
from app.api.dependencies import DearReadsDep, SearcherDep, UploadLimitsDep
from app.api.elapsed import elapsed_ms
from app.api.fields import parse_box
from app.api.multi_status import multi_status
from app.api.problems import problems
from app.api.rendering import rendered
from app.api.uploads import clean_filename
from app.errors import ImageError, ParameterInvalid
from app.gallery import query as domain

# Text fields are options, ids and a filter: in sum they stay below 2 MB.
router = APIRouter(tags=["search"], form_limits={"max_fields": 64, "max_part_size": 32_768})

# Query images of one search; each costs an inference and a scan.
MAX_QUERIES = 16
# Results of one answer; those with vectors count tenfold.
MAX_RESULTS = 10_000

_READING = problems(400, 401, 413, 415, 422, 429, 503)
_SOME_REFUSED = "Some files are not images"


@router.post(
    "/search",
    form_limits={"max_files": MAX_QUERIES + 4},
    summary="Find the images most like one",
    response_model=responses.SearchAnswer,
    responses={**_READING, **problems(404)},
)
def search(
    reads: DearReadsDep,
    searcher: SearcherDep,
    limits: UploadLimitsDep,
    form: Annotated[requests.SearchForm, Form(media_type="multipart/form-data")],
    query: Annotated[requests.SearchOptions, Query()],
) -> Response:
    """Answer the gallery in ascending Euclidean distance from an image, or from a stored one.

    Options may be form fields or query parameters; a form field wins. The image is not stored.
    """
    start = time.perf_counter()
    options = requests.overridden(query, form)
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
    with reads.large(options.top_k, vectors=options.embeddings):
        page = searcher.search(wanted, options.options())
        first = responses.Query.of(
            page.queries[0],
            image_id=None if form.image else form.id[0],
            filename=clean_filename(form.image[0]) if form.image else None,
            embedding=options.embeddings,
        )
        return rendered(responses.SearchAnswer.of(page, first, elapsed_ms(start)))


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
    reads: DearReadsDep,
    searcher: SearcherDep,
    limits: UploadLimitsDep,
    request: Request,
    form: Annotated[requests.BatchForm, Form(media_type="multipart/form-data")],
    query: Annotated[requests.RankOptions, Query()],
) -> Response:
    """Answer each image as `/search` would, in the order sent; options hold for all of them."""
    start = time.perf_counter()
    options = requests.overridden(query, form)
    shown, most = len(form.images) * options.top_k, MAX_RESULTS // (10 if options.embeddings else 1)
    if shown > most:
        raise ParameterInvalid(
            "top_k", f"{shown:,} results for all images; at most {most:,} at once"
        )
    with reads.large(shown, vectors=options.embeddings):
        model, pages = searcher.search_each(
            limits.batches(form.images), options.options(), flip=options.flip
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
        refused = [page for page in pages if isinstance(page, ImageError)]
        return multi_status(request, answer, refused)


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
    embeddings = searcher.embed(limits.batches(form.images))
    answer = responses.EmbedAnswer.of(embeddings, [clean_filename(each) for each in form.images])
    errors = [image for image in embeddings.images if isinstance(image, ImageError)]
    return multi_status(request, answer, errors)


@router.post(
    "/compare",
    form_limits={"max_files": 4},
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
    images = [limits.read(upload) for upload in form.images]
    compared = searcher.compare([*images, *form.id], form.match_false_alarms)
    return responses.Comparison.of(compared)
