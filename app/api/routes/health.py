"""Whether the service lives, whether it is ready, and what it measures."""

import asyncio
import time

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api import responses as answers
from app.api.deps import Started
from app.api.problems import problems
from app.errors import GemelloError, NotReady, Overloaded
from gemello import __version__

router = APIRouter(tags=["operation"])

_PROBE_TIMEOUT_S = 5.0


@router.get("/health", summary="Is it ready?", responses=problems(503))
async def health(service: Started) -> answers.Health:
    """Asks the model for an embedding; 503 until the gallery is complete and it answers."""
    service.check_ready()
    try:
        probe = service.probe()
        if probe is not None:
            await asyncio.wait_for(asyncio.wrap_future(probe), _PROBE_TIMEOUT_S)
    except Overloaded as exc:
        raise NotReady("the model's queue is full") from exc
    except TimeoutError as exc:
        raise NotReady(f"the model did not answer within {_PROBE_TIMEOUT_S:g} s") from exc
    except GemelloError:
        raise
    except Exception as exc:  # each runtime fails in its own way
        raise NotReady(f"the model failed: {exc}") from exc
    manifest = service.active.model.manifest
    return answers.Health(
        status="ok",
        version=__version__,
        model=answers.HealthModel(
            name=manifest.name,
            version=manifest.version,
            id=manifest.model_id,
            dimension=manifest.dimension,
            runtime=service.settings.runtime,
        ),
        gallery=answers.GalleryInfo(images=len(service.gallery)),
        uptime_s=round(time.monotonic() - service.startup.started, 1),
    )


@router.get("/health/ready", summary="Is it ready?", responses=problems(503))
async def ready(service: Started) -> answers.Health:
    """The same as `/health`."""
    return await health(service)


@router.get("/health/live", summary="Does it live?")
async def live() -> answers.Live:
    """Answers as long as the process can; asks nothing of the model or the disk."""
    return answers.Live(status="ok")


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(service: Started) -> Response:
    # Not in the threads that answer requests: under load these are what is to be seen.
    rendered = await asyncio.to_thread(service.metrics.render)
    return Response(rendered, media_type=CONTENT_TYPE_LATEST)
