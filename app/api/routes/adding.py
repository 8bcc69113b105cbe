"""POST /gallery and /gallery/import: add images, a few at once or many by a job."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.api import requests, responses
from app.api.dependencies import GalleryDep, ImportsDep, JobRunnerDep, UploadLimitsDep
from app.api.fields import (
    parse_embeddings,
    parse_ids,
    parse_labels,
    parse_metadata,
    parse_urls,
)
from app.api.multi_status import multi_status
from app.api.problems import problems
from app.api.uploads import clean_filename
from app.errors import GemelloError, ParameterInvalid
from app.gallery.gallery import Gallery
from app.gallery.new_image import AddResult, NewImage, OnConflict, batched
from app.inference.failures import as_result

# The largest text fields are the metadata of a hundred images, or their vectors.

router = APIRouter(
    prefix="/gallery", tags=["gallery"], form_limits={"max_fields": 10, "max_part_size": 2_500_000}
)


@router.post(
    "",
    status_code=201,
    summary="Add images",
    response_model=responses.AddAnswer,
    responses={
        207: {"model": responses.AddAnswer, "description": "Some were stored, some were not"},
        **problems(400, 401, 403, 409, 413, 415, 422, 429, 503, 507),
    },
)
def add(
    gallery: GalleryDep,
    limits: UploadLimitsDep,
    request: Request,
    form: Annotated[requests.AddForm, Form(media_type="multipart/form-data")],
) -> Response:
    """Store every image that can be decoded; 201 means all are on disk and searchable.

    With some refused the status is 207; with all refused it is the first one's own, and `items`
    says why for each.
    """
    count = len(form.images)
    limits.check_count(count)
    filenames = [clean_filename(upload) for upload in form.images]
    ids = parse_ids(form.ids, count)
    labels = parse_labels(form.labels, count)
    metadata = parse_metadata(form.metadata, count)
    vectors = parse_embeddings(form.embeddings, count)
    results: list[AddResult] = []
    images = (
        NewImage(
            data=limits.read(form.images[i]),
            id=ids[i],
            filename=filenames[i],
            label=labels[i],
            metadata=metadata[i],
            vector=vectors[i],
            model_id=form.embeddings_model,
        )
        for i in range(count)
    )
    # A batch is read into memory, and written in one transaction, at a time.
    for batch in batched(images, lambda new: len(new.data)):
        results += _add_batch(gallery, batch, form.on_conflict, before=results)
    errors = [result.error for result in results if result.error]
    return multi_status(request, responses.AddAnswer.of(results, filenames), errors, success=201)


@router.post(
    "/import",
    form_limits={"max_files": 2},
    status_code=202,
    summary="Import many images",
    responses=problems(400, 401, 403, 413, 422, 429, 503, 507),
)
def import_many(
    imports: ImportsDep,
    runner: JobRunnerDep,
    form: Annotated[requests.ImportForm, Form(media_type="multipart/form-data")],
) -> responses.Job:
    """Import an archive, a folder of the service's machine, or addresses on the web.

    The answer is the job that does it: `/jobs/{id}` says how far it is and what could not be added,
    and why. It goes on after a restart.
    """
    given = [form.archive, form.folder, form.urls]
    if sum(each is not None for each in given) != 1:
        raise ParameterInvalid("archive", "send one of archive, folder and urls")
    if form.archive is not None:
        job = imports.archive(form.archive.file, form.on_conflict)
    elif form.folder is not None:
        job = imports.folder(form.folder, form.on_conflict)
    else:
        job = imports.urls(parse_urls(form.urls or ""), form.on_conflict)
    runner.wake()
    return responses.Job.of(job)


def _add_batch(
    gallery: Gallery,
    batch: list[NewImage],
    on_conflict: OnConflict,
    before: Sequence[AddResult],
) -> list[AddResult]:
    """Once a part of the upload is stored, a failure of the rest must not hide that."""
    try:
        return gallery.add(batch, on_conflict)
    except GemelloError as exc:
        if not any(result.status != "failed" for result in before):
            raise
        return [AddResult("failed", new.id, as_result(exc)) for new in batch]
