"""The service itself, its models and its jobs: methods of both clients."""

import asyncio
import time
from collections.abc import Callable, Sequence

from gemello.client import results
from gemello.client.calls import service
from gemello.client.calls.call import OnConflict, Picture
from gemello.client.connection import AsyncConnection, Connection, same_doc_as

_POLL_S = 0.5


class Service(Connection):
    """The service's state, models and jobs."""

    def health(self) -> results.Health:
        """Return the state of a service that is ready.

        Raises ``ApiError`` with status 503 until it is, and ``Unreachable``.
        """
        return self.run(service.health())

    def import_archive(self, archive: Picture, *, on_conflict: OnConflict = "skip") -> results.Job:
        """Begin to add the images of a zip archive, a path or bytes; return the job.

        Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(service.import_archive(archive, on_conflict))

    def import_folder(self, folder: str, *, on_conflict: OnConflict = "skip") -> results.Job:
        """Begin to add a folder of the service's machine, below its GEMELLO_IMPORT_DIR; return the job.

        Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(service.import_folder(folder, on_conflict))

    def import_urls(self, urls: Sequence[str], *, on_conflict: OnConflict = "skip") -> results.Job:
        """Begin to add images from the web, where the service's settings allow it; return the job.

        Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(service.import_urls(urls, on_conflict))

    def jobs(self) -> list[results.Job]:
        """Return the jobs, the newest first. Raises ``ApiError`` and ``Unreachable``."""
        return self.run(service.jobs())

    def job(self, job_id: str) -> results.JobDetails:
        """Return how far a job is, and what failed. Raises ``ApiError`` and ``Unreachable``."""
        return self.run(service.job(job_id))

    def wait(
        self, job_id: str, watch: Callable[[results.JobDetails], None] | None = None
    ) -> results.JobDetails:
        """Wait until a job has ended, and return it; ``watch`` sees it now and then.

        Raises ``ApiError`` and ``Unreachable``.
        """
        while True:
            job = self.job(job_id)
            if watch is not None:
                watch(job)
            if job.finished:
                return job
            time.sleep(_POLL_S)

    def cancel(self, job_id: str) -> results.Job:
        """Stop a job, and return it; what it has done stays done.

        Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(service.cancel(job_id))

    def models(self) -> list[results.PublishedModel]:
        """Return the published models. Raises ``ApiError`` and ``Unreachable``."""
        return self.run(service.models())

    def activate(self, name: str, version: str) -> results.Job:
        """Begin to change to another model, and return the job.

        The old model answers until all images are embedded. Raises ``ApiError`` and ``Unreachable``.
        """
        return self.run(service.activate(name, version))

    def adapt(
        self, name: str, version: str, *, new_name: str = "adapted", force: bool = False
    ) -> results.Job:
        """Begin to adapt a model to the gallery, and to change to the result; return the job.

        It is published as the next version of ``new_name``. Where labels show that images would find
        their like less well the job fails, unless ``force`` is given. Raises ``ApiError`` and
        ``Unreachable``.
        """
        return self.run(service.adapt(name, version, new_name, force))


class AsyncService(AsyncConnection):
    """The same for asyncio."""

    @same_doc_as(Service.health)
    async def health(self) -> results.Health:
        return await self.run(service.health())

    @same_doc_as(Service.import_archive)
    async def import_archive(
        self, archive: Picture, *, on_conflict: OnConflict = "skip"
    ) -> results.Job:
        return await self.run(service.import_archive(archive, on_conflict))

    @same_doc_as(Service.import_folder)
    async def import_folder(self, folder: str, *, on_conflict: OnConflict = "skip") -> results.Job:
        return await self.run(service.import_folder(folder, on_conflict))

    @same_doc_as(Service.import_urls)
    async def import_urls(
        self, urls: Sequence[str], *, on_conflict: OnConflict = "skip"
    ) -> results.Job:
        return await self.run(service.import_urls(urls, on_conflict))

    @same_doc_as(Service.jobs)
    async def jobs(self) -> list[results.Job]:
        return await self.run(service.jobs())

    @same_doc_as(Service.job)
    async def job(self, job_id: str) -> results.JobDetails:
        return await self.run(service.job(job_id))

    @same_doc_as(Service.wait)
    async def wait(
        self, job_id: str, watch: Callable[[results.JobDetails], None] | None = None
    ) -> results.JobDetails:
        while True:
            job = await self.job(job_id)
            if watch is not None:
                watch(job)
            if job.finished:
                return job
            await asyncio.sleep(_POLL_S)

    @same_doc_as(Service.cancel)
    async def cancel(self, job_id: str) -> results.Job:
        return await self.run(service.cancel(job_id))

    @same_doc_as(Service.models)
    async def models(self) -> list[results.PublishedModel]:
        return await self.run(service.models())

    @same_doc_as(Service.activate)
    async def activate(self, name: str, version: str) -> results.Job:
        return await self.run(service.activate(name, version))

    @same_doc_as(Service.adapt)
    async def adapt(
        self, name: str, version: str, *, new_name: str = "adapted", force: bool = False
    ) -> results.Job:
        return await self.run(service.adapt(name, version, new_name, force))
