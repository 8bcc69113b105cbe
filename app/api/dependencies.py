"""The parts of the service that routes ask for, one ``Depends`` each.

Routes get their parts once the gallery is loaded; before that, ``NotReady`` is raised in their place.
What watches the service (/health, /metrics) gets its parts in whatever state the service is.

The functions are coroutines because they only hand over what is there: a plain function would cost
each request a trip through a thread.
"""

from concurrent.futures import Future
from typing import Annotated, Protocol

from fastapi import Depends, Request

from app.api.large_answers import LargeAnswers
from app.api.uploads import UploadLimits
from app.bundle.encoder import Vectors
from app.bundle.manifest import Manifest
from app.config import Settings
from app.gallery.gallery import Gallery
from app.gallery.search import Searcher
from app.inference.models import Models
from app.jobs.imports.jobs import Imports
from app.jobs.runner import JobRunner
from app.jobs.table import Jobs
from app.service import Service, Startup
from app.telemetry.metrics import Metrics


class Readiness(Protocol):
    """Whether the service can answer."""

    startup: Startup

    def check_ready(self) -> None:
        """Raise ``NotReady`` until the service is ready."""

    def probe(self) -> "Future[Vectors] | None":
        """Ask the model for an embedding; return None when it has just given one.

        Raises ``Overloaded`` when the queue is full.
        """


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


_AnyState = Annotated[Service, Depends(_service)]


async def _loaded(service: _AnyState) -> Service:
    service.check_loaded()
    return service


_Loaded = Annotated[Service, Depends(_loaded)]


async def _searcher(service: _Loaded) -> Searcher:
    return service.searcher


async def _gallery(service: _Loaded) -> Gallery:
    return service.gallery


async def _upload_limits(service: _Loaded) -> UploadLimits:
    settings = service.settings
    return UploadLimits(settings.max_image_bytes, settings.max_images_per_request)


async def _imports(service: _Loaded) -> Imports:
    return service.imports


async def _jobs(service: _Loaded) -> Jobs:
    return service.jobs


async def _runner(service: _Loaded) -> JobRunner:
    return service.runner


async def _models(service: _Loaded) -> Models:
    return service.models


async def _served_model(service: _Loaded) -> Manifest:
    return service.active.model.manifest


async def _readiness(service: _AnyState) -> Readiness:
    return service


async def _watched_gallery(service: _AnyState) -> Gallery:
    return service.gallery


async def _watched_model(service: _AnyState) -> Manifest:
    return service.active.model.manifest


async def _settings(service: _AnyState) -> Settings:
    return service.settings


async def _metrics(service: _AnyState) -> Metrics:
    return service.metrics


async def _large_answers(request: Request) -> LargeAnswers:
    large_answers: LargeAnswers = request.app.state.large_answers
    return large_answers


SearcherDep = Annotated[Searcher, Depends(_searcher)]
GalleryDep = Annotated[Gallery, Depends(_gallery)]
UploadLimitsDep = Annotated[UploadLimits, Depends(_upload_limits)]
ImportsDep = Annotated[Imports, Depends(_imports)]
JobsDep = Annotated[Jobs, Depends(_jobs)]
JobRunnerDep = Annotated[JobRunner, Depends(_runner)]
ModelsDep = Annotated[Models, Depends(_models)]
ServedModelDep = Annotated[Manifest, Depends(_served_model)]

ReadinessDep = Annotated[Readiness, Depends(_readiness)]
WatchedGalleryDep = Annotated[Gallery, Depends(_watched_gallery)]
WatchedModelDep = Annotated[Manifest, Depends(_watched_model)]
SettingsDep = Annotated[Settings, Depends(_settings)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]

LargeAnswersDep = Annotated[LargeAnswers, Depends(_large_answers)]
