"""The running service: its parts, how they start, and whether they are ready. No HTTP."""

import fcntl
import os
import threading
import time
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
from app.errors import DatabaseMissing, NotReady, SettingsError
from app.gallery.gallery import Gallery
from app.gallery.search import Searcher
from app.inference.decode_pool import DecodePool
from app.inference.models import Models
from app.inference.reembedding import Reembedder
from app.inference.served_model import Active
from app.jobs import activation as model_swap
from app.jobs.activation import ModelSwap
from app.jobs.imports.add import Progress
from app.jobs.imports.folder import import_folder
from app.jobs.imports.jobs import Imports
from app.jobs.runner import JobRunner, Stopped
from app.jobs.table import Jobs
from app.storage.local.blobs import BlobStore
from app.storage.local.catalog import Catalog
from app.storage.local.database import Database
from app.storage.local.indexed_files import Sources
from app.storage.local.runtime_state import Choices
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import tracer_provider

log = structlog.get_logger()

SAMPLE_GALLERY = Path(__file__).with_name("sample_gallery")
_FRESH_S = 2.0

State = Literal["starting", "indexing", "ready", "failed", "stopping"]


@dataclass
class Startup:
    """Where the service stands between its start and being ready."""

    state: State = "starting"
    reason: str = "the gallery is being loaded"
    progress: Progress | None = None
    started: float = field(default_factory=time.monotonic)


class Service:
    """Everything that answers requests, wired from the settings."""

    def __init__(self, settings: Settings) -> None:
        """Load the model and open the gallery.

        Raises ``SettingsError``, ``ModelError`` or ``StorageUnavailable``; nothing runs then.
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
            self._lock = _own(settings.data_dir)
            undo.callback(os.close, self._lock)
            blobs = BlobStore(settings.data_dir / "blobs")
            database = settings.data_dir / "gallery.sqlite3"
            _check_complete(database, blobs, settings.data_dir / "blobs")
            self._database = Database(database)
            undo.callback(self._database.close)
            self.models = Models(settings, Choices(self._database), self.metrics)
            self.active = Active(self.models.at_start())
            undo.pop_all()
        self.startup = Startup()
        self._decoder = DecodePool(
            settings.image_limits, threads=settings.decode_threads, queue_size=settings.queue_size
        )
        catalog = Catalog(self._database)
        parts = (catalog, blobs, self.active, self._decoder, self.metrics)
        self.gallery, self.searcher = Gallery(*parts), Searcher(*parts)
        self.jobs = Jobs(self._database)
        reembedder = Reembedder(catalog, blobs, self._decoder)
        swap = ModelSwap(self.models, self.active, self.gallery, catalog, reembedder)
        self.imports = Imports(settings, self.gallery, Sources(self._database), self.jobs)
        self.imports.collect()
        self.runner = JobRunner(self.jobs, {model_swap.KIND: swap, **self.imports.kinds})
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
        self._decoder.close()
        self.active.close()
        self._database.close()
        os.close(self._lock)
        if self.traces:
            self.traces.shutdown()

    def check_loaded(self) -> None:
        """Raises ``NotReady`` until all stored images can be found; before, searches would miss some."""
        if not self._loaded.is_set():
            raise NotReady(self.startup.reason)

    def check_ready(self) -> None:
        """Raises ``NotReady`` until the folders to index at start are in the gallery, too."""
        if self.startup.state != "ready":
            raise NotReady(self.startup.reason)

    def probe(self) -> "Future[Vectors] | None":
        """Ask the model for an embedding; None when it gave one a moment ago.

        Raises ``Overloaded`` when the queue is full.
        """
        batcher = self.active.live.batcher
        if time.monotonic() - batcher.last_success < _FRESH_S:
            return None
        size = batcher.encoder.input_size
        return batcher.submit(np.full((1, size, size, 3), 128, np.uint8))

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
            self.startup.state, self.startup.reason = "failed", str(exc).rstrip(".")
            return
        if not self._stop.is_set():
            self.startup.state = "ready"
            self.runner.start()
            log.info("ready", seconds=round(time.monotonic() - self.startup.started, 2))

    def _index(self, folder: Path) -> None:
        progress = Progress(str(folder), self._stop)
        self.startup.state, self.startup.progress = "indexing", progress
        self.startup.reason = f"{folder} is being indexed"
        import_folder(
            self.gallery,
            Sources(self._database),
            folder,
            progress,
            max_bytes=self.settings.max_image_bytes,
        )
        log.info("folder indexed", folder=str(folder), added=progress.added, failed=progress.failed)

    def _report_gauges(self) -> None:
        self.metrics.gauge(
            "gemello_gallery_images", "Images in the gallery.", lambda: len(self.gallery)
        )
        self.metrics.gauge(
            "gemello_queue_depth", "Inferences that wait.", lambda: self.active.live.batcher.depth
        )
        self.metrics.gauge(
            "gemello_ready", "1 once ready.", lambda: float(self.startup.state == "ready")
        )
        self.metrics.gauge(
            "gemello_jobs_unfinished",
            "Jobs that wait or run.",
            lambda: len(self.jobs.unfinished()),
        )
        self.metrics.info("gemello_model_info", "The model that answers.", self._model_facts)

    def _model_facts(self) -> dict[str, str]:
        model = self.active.live.manifest
        return {"name": model.name, "version": model.version, "id": model.model_id}


def _check_complete(database: Path, blobs: BlobStore, images: Path) -> None:
    """Refuse to begin an empty gallery beside images of an older one. Raises ``DatabaseMissing``."""
    written = database.is_file() and database.stat().st_size > 0
    if not written and blobs.holds_images():
        raise DatabaseMissing(str(database), str(images))


def _own(data_dir: Path) -> int:
    """Take the data folder for this process. Raises ``SettingsError``."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise SettingsError(f"GEMELLO_DATA_DIR={data_dir} cannot be used: {exc.strerror}.") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise SettingsError(
            f"GEMELLO_DATA_DIR={data_dir} is in use by another Gemello; stop it or name another."
        ) from exc
    return descriptor
