"""Imports as jobs: what each needs is written down first, so that it goes on after a restart."""

import io
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from app.bundle.model_store import sync
from app.config import Settings
from app.errors import JobQueueFull, ParameterInvalid
from app.gallery.gallery import Gallery
from app.gallery.new_image import OnConflict
from app.jobs.imports.archive import check_archive, import_archive
from app.jobs.imports.fetch import Fetcher
from app.jobs.imports.folder import import_folder
from app.jobs.imports.urls import import_urls
from app.jobs.runner import Progress, Work
from app.jobs.table import Job, Jobs
from app.storage.failures import storage_error
from app.storage.local.indexed_files import IndexedFiles

ARCHIVE, FOLDER, URLS = "import_archive", "import_folder", "import_urls"
MAX_URLS = 1000
_COPIED = 1 << 20
# What waits may take on the disk, in request bodies of the largest size.
_ROOM = 10


class Imports:
    """Begins imports, and does their work: ``kinds`` is what a ``JobRunner`` wants to know."""

    def __init__(
        self, settings: Settings, gallery: Gallery, known: IndexedFiles, jobs: Jobs
    ) -> None:
        self._settings, self._gallery, self._known, self._jobs = settings, gallery, known, jobs
        self._folder = settings.data_dir / "imports"
        self._arriving: dict[str, int] = {}
        """Sizes of files that are being written, by name."""
        self._lock = threading.Lock()
        self.kinds: Mapping[str, Work] = {
            ARCHIVE: self._work_on_archive,
            FOLDER: self._work_on_folder,
            URLS: self._work_on_urls,
        }

    def archive(self, upload: BinaryIO, on_conflict: OnConflict) -> Job:
        """Keep an uploaded archive, and queue its import.

        Raises ``ArchiveInvalid``, ``JobQueueFull``, ``StorageFull`` or ``StorageUnavailable``, and then
        nothing was stored.
        """
        with self._kept(upload, "zip") as path:
            check_archive(path, self._settings.max_image_bytes)
            return self._jobs.create(ARCHIVE, {"archive": path.name, "on_conflict": on_conflict})

    def folder(self, folder: str, on_conflict: OnConflict) -> Job:
        """Queue the import of a folder below the setting's.

        Raises ``ParameterInvalid`` or ``JobQueueFull``.
        """
        self._inside(folder)
        self._check_queue()
        return self._jobs.create(FOLDER, {"folder": folder, "on_conflict": on_conflict})

    def urls(self, urls: Sequence[str], on_conflict: OnConflict) -> Job:
        """Queue the import of images from the web. Raises ``ParameterInvalid``, or as ``archive``."""
        if not self._settings.url_import:
            raise ParameterInvalid("urls", "fetching from the web is off (GEMELLO_URL_IMPORT)")
        if not 0 < len(urls) <= MAX_URLS:
            raise ParameterInvalid("urls", f"expected 1 to {MAX_URLS:,} addresses, got {len(urls)}")
        # A file like an archive: the list of jobs would be as long as all addresses.
        listed = io.BytesIO(json.dumps(list(urls)).encode())
        with self._kept(listed, "json") as path:
            arguments = {"urls": path.name, "count": len(urls), "on_conflict": on_conflict}
            return self._jobs.create(URLS, arguments)

    def collect(self) -> None:
        """Remove what no unfinished job needs."""
        needed = {_file_of(job.arguments) for job in self._jobs.unfinished()}
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in needed:
                    path.unlink(missing_ok=True)

    def ended(self, job: Job) -> None:
        """Remove what a job needed; what cannot be removed now goes at the next start."""
        name = _file_of(job.arguments)
        if name is not None:
            with suppress(OSError):
                (self._folder / name).unlink()

    @contextmanager
    def _kept(self, upload: BinaryIO, suffix: str) -> Iterator[Path]:
        """Yield a durable copy of ``upload`` for a job; it goes again where none is made."""
        path = self._folder / f"{uuid4().hex}.{suffix}"
        try:
            self._take_room(path.name, upload.seek(0, os.SEEK_END))
            upload.seek(0)
            with path.open("wb") as stream:
                shutil.copyfileobj(upload, stream, _COPIED)
                stream.flush()
                os.fsync(stream.fileno())
            sync(self._folder)
            yield path
        except BaseException as exc:
            with suppress(OSError):
                path.unlink()
            if isinstance(exc, OSError):
                raise storage_error(exc) from exc
            raise
        finally:
            self._arriving.pop(path.name, None)

    def _take_room(self, name: str, size: int) -> None:
        """Raises ``JobQueueFull``. What arrives counts whole, so that two do not take the room of one."""
        self._folder.mkdir(exist_ok=True)
        most = _ROOM * self._settings.max_request_bytes
        with self._lock:
            self._check_queue()
            kept = sum(_size(p) for p in self._folder.iterdir() if p.name not in self._arriving)
            if kept + sum(self._arriving.values()) + size > most:
                raise JobQueueFull(f"Archives that wait may take {most:,} bytes")
            self._arriving[name] = size

    def _check_queue(self) -> None:
        most = self._settings.max_queued_jobs
        waiting = sum(job.kind in self.kinds for job in self._jobs.unfinished())
        if waiting + len(self._arriving) >= most:
            raise JobQueueFull(f"At most {most} imports may wait (GEMELLO_MAX_QUEUED_JOBS)")

    def _work_on_archive(self, arguments: Mapping[str, Any], progress: Progress) -> None:
        path = self._folder / arguments["archive"]
        # A version that removed it before the job had ended may have been interrupted between the two.
        if not path.exists() and progress.total is not None and progress.done >= progress.total:
            return
        import_archive(
            self._gallery,
            path,
            progress,
            max_bytes=self._settings.max_image_bytes,
            on_conflict=arguments["on_conflict"],
        )

    def _work_on_folder(self, arguments: Mapping[str, Any], progress: Progress) -> None:
        progress.done = 0  # Files that were read before are passed over quickly.
        import_folder(
            self._gallery,
            self._known,
            self._inside(arguments["folder"]),
            progress,
            max_bytes=self._settings.max_image_bytes,
            on_conflict=arguments["on_conflict"],
        )

    def _work_on_urls(self, arguments: Mapping[str, Any], progress: Progress) -> None:
        settings = self._settings
        urls = arguments["urls"]
        if isinstance(urls, str):
            urls = json.loads((self._folder / urls).read_bytes())
        fetcher = Fetcher(
            max_bytes=settings.max_image_bytes,
            timeout_s=settings.request_timeout_s,
            check=progress.check,
        )
        try:
            import_urls(
                self._gallery,
                urls,
                fetcher,
                progress,
                on_conflict=arguments["on_conflict"],
            )
        finally:
            fetcher.close()

    def _inside(self, folder: str) -> Path:
        """The folder, which must lie below the setting's, links followed."""
        root = self._settings.import_dir
        if root is None:
            raise ParameterInvalid(
                "folder", "importing folders of this machine is off (GEMELLO_IMPORT_DIR)"
            )
        try:
            chosen = (root / folder).resolve()
            good = chosen.is_relative_to(root.resolve()) and chosen.is_dir()
        except (OSError, ValueError):
            good = False
        if not good:
            raise ParameterInvalid("folder", f"{folder!r} is not a folder below GEMELLO_IMPORT_DIR")
        return chosen


def _size(path: Path) -> int:
    # A job may have ended a moment ago.
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _file_of(arguments: Mapping[str, Any]) -> str | None:
    """The name of the file that a job needs. Earlier versions wrote addresses into the job itself."""
    name = arguments.get("archive") or arguments.get("urls")
    return name if isinstance(name, str) else None
