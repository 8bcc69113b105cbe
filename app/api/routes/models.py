"""/models: which there are, and let another one answer."""

from fastapi import APIRouter

from app.api import responses
from app.api.dependencies import JobRunnerDep, JobsDep, ModelsDep, ServedModelDep
from app.api.problems import problems
from app.jobs import activation

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
