"""/models: which there are, and let another one answer."""

from fastapi import APIRouter

from app.api import responses as answers
from app.api.deps import Serving
from app.api.problems import problems
from app.api.records import model_info
from app.api.routes.jobs import job_fields
from app.jobs.activation import activate as activate_model

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", summary="List the published models", responses=problems(401, 429, 503))
def list_models(service: Serving) -> answers.ModelsAnswer:
    """Lists every model and version of the model store, and says which one answers."""
    active = service.active.model.manifest
    return answers.ModelsAnswer(
        models=[
            answers.Model(
                **model_info(model).model_dump(),
                active=(model.name, model.version) == (active.name, active.version),
                created=model.created.isoformat(),
                dimension=model.dimension,
                input_size=model.input_size,
                backbone=model.backbone.name,
                calibrated=model.calibration is not None,
                metrics=model.evaluation.metrics if model.evaluation else None,
            )
            for model in (bundle.manifest for bundle in service.models.all())
        ]
    )


@router.post(
    "/{name}/{version}/activate",
    status_code=202,
    summary="Let another model answer",
    responses=problems(401, 403, 404, 409, 429, 503),
)
def activate(service: Serving, name: str, version: str) -> answers.Job:
    """Embeds every stored image with the model, beside the old vectors; then the model answers.

    Searches are answered by the old model until then. Answers the job that does it; going back to
    the model before is the same call, and takes a moment.
    """
    title = f"{name}/{version}"
    job = activate_model(service.models, service.jobs, service.runner, title)
    return answers.Job(**job_fields(job))
