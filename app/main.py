"""The composition root: ``create_app(settings)`` wires everything; nothing is built at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider

from app.api.context import RequestContext
from app.api.dear_reads import DearReads
from app.api.handlers import add_error_handlers
from app.api.limits import RequestLimits
from app.api.openapi import describe
from app.api.origins import Origins
from app.api.routes import adding, duplicates, gallery, health, images, jobs, models, search
from app.config import Settings
from app.service import OpenStores, Service
from app.storage.local.stores import open_stores
from gemello import __version__

WEB = Path(__file__).with_name("web")


def create_app(settings: Settings, stores: OpenStores = open_stores) -> FastAPI:
    """Load the model, open the gallery and build the application.

    ``stores`` opens what the gallery lies in. Raises ``SettingsError``, ``ModelError`` or
    ``GalleryError``, each with one sentence.
    """
    service = Service(settings, stores)
    dear_reads = DearReads(settings.read_timeout_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        dear_reads.close()
        service.stop()

    app = FastAPI(
        title="Gemello",
        version=__version__,
        summary="Find the images in your gallery that are most like one.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        # FastAPI's own pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Files below 1 MB stay in memory, others have a descriptor each. A few too many are told how many
        # they may be; for more the reading ends.
        form_limits={"max_files": settings.max_images_per_request + 10},
    )
    app.state.service, app.state.dear_reads = service, dear_reads
    for router in (
        search.router,
        adding.router,
        gallery.router,
        images.router,
        duplicates.router,
        models.router,
        jobs.router,
        health.router,
    ):
        app.include_router(router)
    add_error_handlers(app)
    app.add_middleware(RequestLimits, settings=settings)
    if settings.allowed_origins:
        # Outside the limits: a browser asks first, without a key.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["X-API-Key", "Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After", "ETag"],
        )
    app.add_middleware(Origins, settings=settings)
    app.add_middleware(RequestContext, metrics=service.metrics)
    if service.traces:
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=service.traces,
            # Prometheus has the measurements.
            meter_provider=NoOpMeterProvider(),
            excluded_urls=r"^\w+://[^/]*/(health|metrics$|static/)",
            exclude_spans=["receive", "send"],
        )
    app.mount("/static", StaticFiles(directory=WEB))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(WEB / "index.html")

    @app.get("/docs", include_in_schema=False)
    def docs() -> FileResponse:
        return FileResponse(WEB / "docs.html")

    describe(app)
    return app
