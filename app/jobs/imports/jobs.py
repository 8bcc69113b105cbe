"""Imports as jobs: what each needs is written down first, so that it goes on after a restart."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from app.bundle.model_store import sync
from app.config import Settings
from app.errors import ParameterInvalid
from app.gallery.gallery import Gallery
from app.gallery.new_image import OnConflict
from app.jobs.imports.archive import check_archive, import_archive
from app.jobs.imports.fetch import Fetcher
from app.jobs.imports.folder import import_folder
from app.jobs.imports.urls import import_urls
from app.jobs.runner import Progress, Stopped, Work
from app.jobs.table import Job, Jobs
from app.storage.local.disk import storage_error
from app.storage.local.indexed_files import IndexedFiles

ARCHIVE, FOLDER, URLS = "import_archive", "import_folder", "import_urls"
MAX_URLS = 1000
_COPIED = 1 << 20


class Imports:
    """Begins imports, and does their work: ``kinds`` is what a ``JobRunner`` wants to know."""

    def __init__(
        self, settings: Settings, gallery: Gallery, known: IndexedFiles, jobs: Jobs
    ) -> None:
        self._settings, self._gallery, self._known, self._jobs = settings, gallery, known, jobs
        self._folder = settings.data_dir / "imports"
        self.kinds: Mapping[str, Work] = {
            ARCHIVE: self._work_on_archive,
            FOLDER: self._work_on_folder,
            URLS: self._work_on_urls,
        }

    def archive(self, upload: BinaryIO, on_conflict: OnConflict) -> Job:
        """Keep an uploaded archive, and queue its import.

        Raises ``ArchiveInvalid``, ``StorageFull`` or ``StorageUnavailable``, and then nothing was stored.
        """
        target = self._folder / f"{uuid4().hex}.zip"
        try:
            self._folder.mkdir(exist_ok=True)
            with target.open("wb") as stream:
                shutil.copyfileobj(upload, stream, _COPIED)
                stream.flush()
                os.fsync(stream.fileno())
            sync(self._folder)
            check_archive(target)
            return self._jobs.create(ARCHIVE, {"archive": target.name, "on_conflict": on_conflict})
        except BaseException as exc:
            # A disk that takes nothing may not give anything up either.
            with suppress(OSError):
                target.unlink(missing_ok=True)
            if isinstance(exc, OSError):
                raise storage_error(exc) from exc
            raise

    def folder(self, folder: str, on_conflict: OnConflict) -> Job:
        """Queue the import of a folder below the setting's. Raises ``ParameterInvalid``."""
        self._inside(folder)
        return self._jobs.create(FOLDER, {"folder": folder, "on_conflict": on_conflict})

    def urls(self, urls: Sequence[str], on_conflict: OnConflict) -> Job:
        """Queue the import of images from the web. Raises ``ParameterInvalid``."""
        if not self._settings.url_import:
            raise ParameterInvalid("urls", "fetching from the web is off (GEMELLO_URL_IMPORT)")
        if not 0 < len(urls) <= MAX_URLS:
            raise ParameterInvalid("urls", f"expected 1 to {MAX_URLS:,} addresses, got {len(urls)}")
        return self._jobs.create(URLS, {"urls": list(urls), "on_conflict": on_conflict})

    def collect(self) -> None:
        """Remove archives that no unfinished job needs."""
        needed = {job.arguments.get("archive") for job in self._jobs.unfinished()}
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in needed:
                    path.unlink(missing_ok=True)

    def _work_on_archive(self, arguments: Mapping[str, Any], progress: Progress) -> None:
        path = self._folder / arguments["archive"]
        # A crash came between the removal of the archive and the end of the job.
        if progress.total is not None and progress.done == progress.total and not path.exists():
            return
        try:
            import_archive(
                self._gallery,
                path,
                progress,
                max_bytes=self._settings.max_image_bytes,
                on_conflict=arguments["on_conflict"],
            )
        except Stopped:
            if progress.cancelled:
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)

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
        fetcher = Fetcher(max_bytes=settings.max_image_bytes, timeout_s=settings.request_timeout_s)
        try:
            import_urls(
                self._gallery,
                arguments["urls"],
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
