"""The running service: its parts, how they start, and whether they are ready. No HTTP."""

import fcntl
import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import structlog

from app.batching import Batcher
from app.blobs import BlobStore
from app.catalog import Catalog
from app.config import Settings
from app.decoding import DecodePool
from app.encoder import Vectors
from app.errors import GemelloError, NotReady, SettingsError
from app.folder_import import Progress, import_folder
from app.gallery import Gallery
from app.index import FlatIndex
from app.metrics import Metrics
from app.model_store import Bundle, resolve
from app.runtimes import load_encoder

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
        self.bundle: Bundle = resolve(settings.model_store, settings.model)
        encoder = load_encoder(
            self.bundle,
            settings.runtime,
            precision=settings.precision,
            threads=settings.inference_threads,
        )
        if settings.gallery_dir and not settings.gallery_dir.is_dir():
            raise SettingsError(f"GEMELLO_GALLERY_DIR={settings.gallery_dir} is not a folder.")
        self._lock = _own(settings.data_dir)
        try:
            blobs = BlobStore(settings.data_dir / "blobs")
            self._catalog = Catalog(settings.data_dir / "gallery.sqlite3")
        except GemelloError:
            os.close(self._lock)
            raise
        self.metrics = Metrics()
        self.startup = Startup()
        self.batcher = Batcher(
            encoder, max_batch=settings.max_batch, queue_size=settings.queue_size
        )
        self._decoder = DecodePool(
            settings.image_limits, threads=settings.decode_threads, queue_size=settings.queue_size
        )
        self.gallery = Gallery(
            self._catalog,
            blobs,
            FlatIndex(encoder.dimension),
            self.batcher,
            self._decoder,
            self.metrics,
        )
        self._stop = threading.Event()
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
        self._decoder.close()
        self.batcher.close()
        self._catalog.close()
        os.close(self._lock)

    def check_ready(self) -> None:
        """Raises ``NotReady`` until the gallery is complete."""
        if self.startup.state != "ready":
            raise NotReady(self.startup.reason)

    def score(self, distance: float) -> float | None:
        """Probability that a result at ``distance`` is a match; None without a calibration."""
        calibration = self.bundle.manifest.calibration
        return calibration.probability(distance) if calibration else None

    def match(self, distance: float) -> bool | None:
        """Whether a result at ``distance`` is called a match; None without a calibration."""
        calibration = self.bundle.manifest.calibration
        return calibration.matches(distance) if calibration else None

    def probe(self) -> "Future[Vectors] | None":
        """Ask the model for an embedding; None when it gave one a moment ago.

        Raises ``Overloaded`` when the queue is full.
        """
        if time.monotonic() - self.batcher.last_success < _FRESH_S:
            return None
        size = self.batcher.encoder.input_size
        return self.batcher.submit(np.full((1, size, size, 3), 128, np.uint8))

    def _start(self) -> None:
        try:
            embedded = self.gallery.load()
            log.info("gallery loaded", images=len(self.gallery), embedded_again=embedded)
            if self.settings.sample_gallery and not len(self.gallery):
                self._index(SAMPLE_GALLERY)
            if self.settings.gallery_dir:
                self._index(self.settings.gallery_dir)
        except Exception as exc:  # whatever it is, the operator must see it in /health
            log.exception("the gallery could not be loaded")
            self.startup.state, self.startup.reason = "failed", str(exc).rstrip(".")
            return
        if not self._stop.is_set():
            self.startup.state = "ready"
            log.info("ready", seconds=round(time.monotonic() - self.startup.started, 2))

    def _index(self, folder: Path) -> None:
        progress = Progress(str(folder))
        self.startup.state, self.startup.progress = "indexing", progress
        self.startup.reason = f"{folder} is being indexed"
        import_folder(
            self.gallery,
            self._catalog,
            folder,
            progress,
            max_bytes=self.settings.max_image_bytes,
            stop=self._stop,
        )
        log.info("folder indexed", folder=str(folder), added=progress.added, failed=progress.failed)

    def _report_gauges(self) -> None:
        manifest = self.bundle.manifest
        self.metrics.gauge(
            "gemello_gallery_images", "Images in the gallery.", lambda: len(self.gallery)
        )
        self.metrics.gauge(
            "gemello_queue_depth", "Inferences that wait.", lambda: self.batcher.depth
        )
        self.metrics.gauge(
            "gemello_ready", "1 once ready.", lambda: float(self.startup.state == "ready")
        )
        self.metrics.info(
            "gemello_model_info",
            "The model that serves.",
            {"name": manifest.name, "version": manifest.version, "id": manifest.model_id},
        )


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
