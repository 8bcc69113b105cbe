"""The running service: its parts, how they start, and whether they are ready. No HTTP."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import structlog

from app.bundle.encoder import Vectors
from app.bundle.model_store import resolve
from app.config import Settings
from app.errors import GemelloError, NotReady, SettingsError, StorageFull
from app.gallery.calibration import Calibrator
from app.gallery.gallery import Gallery
from app.gallery.inspection import Inspector
from app.gallery.quota import Quota
from app.gallery.search import Searcher
from app.inference.decode_pool import DecodePool
from app.inference.embedder import Embedder
from app.inference.models import Models
from app.inference.reembedding import Reembedder
from app.inference.served_model import ActiveModel
from app.inference.usable_memory import default_decode_memory
from app.jobs import activation
from app.jobs.activation import Activation
from app.jobs.adaptation import Adaptation
from app.jobs.imports.add import StartupImport
from app.jobs.imports.folder import import_folder
from app.jobs.imports.jobs import Imports
from app.jobs.runner import JobRunner, Stopped
from app.jobs.table import Jobs
from app.storage.local.database import Database
from app.storage.local.indexed_files import IndexedFiles
from app.storage.local.runtime_state import InspectedPlace, RuntimeState
from app.storage.local.stores import open_database, open_stores, own
from app.storage.stores import Stores
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import tracer_provider

log = structlog.get_logger()

SAMPLE_GALLERY = Path(__file__).with_name("sample_gallery")
_FRESH_S = 2.0
# A model that has work and has answered within this is busy, not broken.
_BUSY_S = 15.0
# How long indexing waits where the disk has no room.
_FULL_S = 10.0

State = Literal["starting", "indexing", "ready", "failed", "stopping"]
OpenStores = Callable[[Path, Database], Stores]


@dataclass
class Startup:
    """Where the service stands between its start and being ready."""

    state: State = "starting"
    reason: str = "the gallery is being loaded"
    progress: StartupImport | None = None
    started: float = field(default_factory=time.monotonic)


class Service:
    """Everything that answers requests, wired from the settings."""

    def __init__(self, settings: Settings, stores: OpenStores = open_stores) -> None:
        """Load the model and open the gallery, which lies in what ``stores`` opens.

        Raises ``SettingsError``, ``ModelError`` or ``GalleryError``; nothing runs then.
        """
        self.settings = settings
        # What is misspelt is refused before anything is made.
        resolve(settings.model_store, settings.model, verify_files=False)
        if settings.gallery_dir and not settings.gallery_dir.is_dir():
            raise SettingsError(f"GEMELLO_GALLERY_DIR={settings.gallery_dir} is not a folder.")
        self.traces = tracer_provider(settings.otlp_endpoint) if settings.otlp_endpoint else None
        self.metrics = Metrics(self.traces.get_tracer("gemello") if self.traces else None)
        with ExitStack() as undo:
            if self.traces:
                undo.callback(self.traces.shutdown)
            self._lock = own(settings.data_dir)
            undo.callback(os.close, self._lock)
            self._database = open_database(settings.data_dir)
            undo.callback(self._database.close)
            opened = stores(settings.data_dir, self._database)
            self.models = Models(settings, RuntimeState(self._database), self.metrics)
            self.active = ActiveModel(
                self.models.at_start(), ended=lambda model: opened.gallery.unload(model.id)
            )
            undo.pop_all()
        self.startup = Startup()
        self._decoder = DecodePool(
            settings.image_limits,
            threads=settings.decode_threads,
            queue_size=settings.queue_size,
            # The other places are for those who have light ones.
            heavy_callers=max(1, settings.max_concurrent_requests // 2),
            memory=settings.max_decode_memory or default_decode_memory(),
        )
        embedder = Embedder(opened, self._decoder, self.metrics)
        reembedder = Reembedder(opened.gallery, embedder)
        self.gallery = Gallery(
            stores=opened,
            active=self.active,
            embedder=embedder,
            reembedder=reembedder,
            decoder=self._decoder,
            metrics=self.metrics,
            quota=Quota(settings.max_gallery_images, settings.max_gallery_bytes),
            quarantine_days=settings.quarantine_days,
        )
        self.inspector = Inspector(
            stores=opened,
            active=self.active,
            reembedder=reembedder,
            place=InspectedPlace(self._database),
        )
        self.searcher = Searcher(
            store=opened.gallery,
            active=self.active,
            embedder=embedder,
            calibrator=Calibrator(opened.gallery, settings.match_false_alarms),
            metrics=self.metrics,
        )
        self.jobs = Jobs(self._database)
        self._indexed_files = IndexedFiles(self._database)
        activate = Activation(
            models=self.models,
            active=self.active,
            gallery=self.gallery,
            store=opened.gallery,
            reembedder=reembedder,
        )
        adapt = Adaptation(
            settings=settings,
            models=self.models,
            active=self.active,
            store=opened.gallery,
            activation=activate,
        )
        self.imports = Imports(settings, self.gallery, self._indexed_files, self.jobs)
        self.imports.collect()
        self.runner = JobRunner(
            self.jobs,
            {activation.KIND: activate, activation.ADAPT: adapt, **self.imports.kinds},
            first=(activation.KIND, activation.ADAPT),
            ended=self.imports.ended,
        )
        self._probe: Future[Vectors] | None = None
        self._stop, self._loaded = threading.Event(), threading.Event()
        self._starter = threading.Thread(target=self._start, name="startup", daemon=True)
        self._report_gauges()

    def start(self) -> None:
        """Load and index in the background; ``startup`` says how far it is."""
        self._starter.start()

    def stop(self) -> None:
        """Finish accepted work and close the files."""
        self.startup.state, self.startup.reason = "stopping", "it is shutting down"
        self._stop.set()
        if self._starter.ident is not None:
            self._starter.join()
        self.runner.stop()
        self.inspector.stop()
        self._decoder.close()
        self.active.close()
        self._database.close()
        os.close(self._lock)
        if self.traces:
            self.traces.shutdown()

    def check_loaded(self) -> None:
        """Raise ``NotReady`` until all stored images can be found; before, searches would miss some."""
        if not self._loaded.is_set():
            raise NotReady(self.startup.reason)

    def check_ready(self) -> None:
        """Raise ``NotReady`` until the folders to index at start are in the gallery, too."""
        if self.startup.state != "ready":
            raise NotReady(self.startup.reason)

    def probe(self) -> "Future[Vectors] | None":
        """Ask the model for an embedding; None when it gave one a moment ago, or is only busy.

        However many ask, the model is asked once at a time. Raises ``Overloaded`` when the queue is
        full.
        """
        batcher = self.active.model.batcher
        since = time.monotonic() - batcher.last_success
        if since < _FRESH_S or (batcher.depth and since < _BUSY_S):
            return None
        if self._probe is None or self._probe.done():
            size = batcher.encoder.input_size
            self._probe = batcher.submit(np.full((1, size, size, 3), 128, np.uint8))
        return self._probe

    def _start(self) -> None:
        try:
            embedded = self.gallery.load()
            self._loaded.set()
            log.info("gallery loaded", images=len(self.gallery), embedded_again=embedded)
            if self.settings.sample_gallery and not len(self.gallery):
                self._index(SAMPLE_GALLERY)
            if self.settings.gallery_dir:
                self._index(self.settings.gallery_dir)
        except Stopped:
            return
        except Exception as exc:  # whatever it is, the operator must see it in /health
            log.exception("the gallery could not be loaded")
            self.startup.state = "failed"
            self.startup.reason = (
                exc.detail.rstrip(".")
                if isinstance(exc, GemelloError)
                else "the gallery could not be loaded; the service's log says why"
            )
            return
        if not self._stop.is_set():
            self.startup.state = "ready"
            self.runner.start()
            self.inspector.start()
            log.info("ready", seconds=round(time.monotonic() - self.startup.started, 2))

    def _index(self, folder: Path) -> None:
        progress = StartupImport(str(folder), self._stop)
        self.startup.state, self.startup.progress = "indexing", progress
        self.startup.reason = "images are being indexed"
        while True:
            try:
                import_folder(
                    self.gallery,
                    self._indexed_files,
                    folder,
                    progress,
                    max_bytes=self.settings.max_image_bytes,
                )
                break
            except StorageFull:
                self.startup.reason = "the disk is full; indexing goes on once there is room"
                log.warning(self.startup.reason, folder=str(folder))
                progress.wait(_FULL_S)
                progress.seen = 0
        log.info("folder indexed", folder=str(folder), added=progress.added, failed=progress.failed)

    def _report_gauges(self) -> None:
        self.metrics.gauge(
            "gemello_gallery_images", "Images in the gallery.", lambda: len(self.gallery)
        )
        self.metrics.gauge(
            "gemello_damaged_items",
            "Stored things that are damaged and could not be mended.",
            lambda: len(self.inspector.damage),
        )
        self.metrics.gauge(
            "gemello_queue_depth", "Inferences that wait.", lambda: self.active.model.batcher.depth
        )
        self.metrics.gauge(
            "gemello_ready", "1 once ready.", lambda: float(self.startup.state == "ready")
        )
        self.metrics.gauge(
            "gemello_jobs_unfinished",
            "Jobs that wait or run.",
            lambda: len(self.jobs.unfinished()),
        )
        self.metrics.info("gemello_model_info", "The model that answers.", self._model_info)

    def _model_info(self) -> dict[str, str]:
        model = self.active.model.manifest
        return {"name": model.name, "version": model.version, "id": model.model_id}
