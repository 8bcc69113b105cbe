"""Whether the service lives, whether it is ready, and what it measures."""

import asyncio
import time
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api import responses
from app.api.dependencies import (
    InspectorDep,
    MetricsDep,
    Readiness,
    ReadinessDep,
    SettingsDep,
    WatchedGalleryDep,
    WatchedModelDep,
)
from app.api.problems import problems
from app.errors import GemelloError, NotReady, Overloaded
from gemello import __version__

log = structlog.get_logger()

router = APIRouter(tags=["operation"])

_PROBE_TIMEOUT_S = 5.0


async def _healthy(
    readiness: ReadinessDep,
    gallery: WatchedGalleryDep,
    model: WatchedModelDep,
    settings: SettingsDep,
    inspector: InspectorDep,
) -> responses.Health:
    readiness.check_ready()
    await _check_model(readiness)
    return responses.Health(
        status="ok",
        version=__version__,
        model=responses.HealthModel.of(model, settings.runtime),
        gallery=responses.GalleryInfo(images=len(gallery), damaged=len(inspector.damage)),
        uptime_s=round(time.monotonic() - readiness.startup.started, 1),
    )


HealthDep = Annotated[responses.Health, Depends(_healthy)]


@router.get("/health", summary="Is it ready?", responses=problems(503))
async def health(healthy: HealthDep) -> responses.Health:
    """Ask the model for an embedding; 503 until the gallery is complete and the model answers."""
    return healthy


@router.get("/health/ready", summary="Is it ready?", responses=problems(503))
async def ready(healthy: HealthDep) -> responses.Health:
    """The same as `/health`."""
    return healthy


@router.get("/health/live", summary="Does it live?")
async def live() -> responses.Live:
    """Answer as long as the process can; neither model nor disk is asked."""
    return responses.Live(status="ok")


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(metrics: MetricsDep) -> Response:
    # Not in the threads that answer requests: under load these are what is to be seen.
    rendered = await asyncio.to_thread(metrics.render)
    return Response(rendered, media_type=CONTENT_TYPE_LATEST)


async def _check_model(readiness: Readiness) -> None:
    """Raise ``NotReady`` unless the model gives an embedding in time."""
    try:
        probe = readiness.probe()
        if probe is not None:
            # Others may wait for the same one.
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(probe)), _PROBE_TIMEOUT_S)
    except Overloaded as exc:
        raise NotReady("the model's queue is full") from exc
    except TimeoutError as exc:
        raise NotReady(f"the model did not answer within {_PROBE_TIMEOUT_S:g} s") from exc
    except GemelloError:
        raise
    except Exception as exc:  # each runtime fails in its own way
        log.error("the model failed its probe", reason=repr(exc))
        raise NotReady("the model failed; the service's log says why") from exc
