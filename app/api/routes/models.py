"""/models: which there are, let another one answer, adapt one to the gallery."""

from typing import Annotated

from fastapi import APIRouter, Form

from app.api import requests, responses
from app.api.dependencies import (
    GalleryDep,
    JobRunnerDep,
    JobsDep,
    ModelsDep,
    ServedModelDep,
    SettingsDep,
)
from app.api.problems import problems
from app.jobs import activation, adaptation

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", summary="List the published models", responses=problems(401, 429, 503))
def list_models(models: ModelsDep, served: ServedModelDep) -> responses.ModelsAnswer:
    """List every model and version of the model store, and say which one answers."""
    return responses.ModelsAnswer(
        models=[responses.Model.of(bundle.manifest, served) for bundle in models.all()]
    )


@router.post(
    "/{name}/{version}/activate",
    status_code=202,
    summary="Let another model answer",
    responses=problems(401, 403, 404, 409, 429, 503),
)
def activate(
    models: ModelsDep, jobs: JobsDep, runner: JobRunnerDep, name: str, version: str
) -> responses.Job:
    """Embed every stored image with the model, beside the old vectors; then the model answers.

    Searches are answered by the old model until then. The answer is the job that does it; going back
    to the model before is the same call, and takes a moment.
    """
    return responses.Job.of(activation.activate(models, jobs, runner, f"{name}/{version}"))


@router.post(
    "/{name}/{version}/adapt",
    form_limits={"max_fields": 10, "max_part_size": 1000},
    status_code=202,
    summary="Adapt a model to the gallery",
    responses=problems(401, 403, 404, 409, 422, 429, 503),
)
def adapt(
    settings: SettingsDep,
    models: ModelsDep,
    gallery: GalleryDep,
    jobs: JobsDep,
    runner: JobRunnerDep,
    name: str,
    version: str,
    form: Annotated[requests.AdaptForm, Form()],
) -> responses.Job:
    """Centre and scale the model's vectors by those of the stored images, and let that model answer.

    No label is needed, and no image is embedded again: vectors are mapped. The new model is published;
    its figures before and after stand in `GET /models`, where images have labels. The answer is the
    job that does it; activating the model before undoes it, and takes a moment.
    """
    job = adaptation.adapt(
        settings,
        models,
        jobs,
        runner,
        images=len(gallery),
        title=f"{name}/{version}",
        name=form.name,
        force=form.force,
    )
    return responses.Job.of(job)
