"""Puts another model in the place of the one that answers, without a gap.

Every stored image gets the new model's vector beside the old one, while searches go on with the old
model; then all at once the new one answers. The old vectors stay, so that going back is quick.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import JobConflict, Overloaded
from app.gallery.gallery import Gallery
from app.inference.models import Models
from app.inference.reembedding import Reembedder
from app.inference.served_model import Active, Live
from app.jobs.runner import JobRunner, Progress
from app.jobs.table import Job, Jobs
from app.storage.local.catalog import Catalog

KIND = "activate_model"


class ModelSwap:
    """The work of such a job. After an interruption it embeds what is still missing."""

    def __init__(
        self,
        models: Models,
        active: Active,
        gallery: Gallery,
        catalog: Catalog,
        reembedder: Reembedder,
    ) -> None:
        self._models, self._active, self._gallery = models, active, gallery
        self._catalog, self._reembedder = catalog, reembedder

    def __call__(self, arguments: Mapping[str, Any], progress: Progress) -> None:
        new = self._models.load(arguments["model"])
        old_id, new_id = self._active.live.encoder.model_id, new.encoder.model_id
        try:
            self._embed(new, progress)
            progress.patiently(
                lambda: self._gallery.switch(new, lambda: self._models.remember(new.manifest))
            )
        except BaseException:
            if self._active.live is not new:
                new.batcher.close()
            raise
        # What is two models back is not gone back to.
        self._catalog.keep_vectors(old_id, new_id)

    def _embed(self, new: Live, progress: Progress) -> None:
        """What the new model does not know yet, as far as it is stored now."""
        model_id = new.encoder.model_id
        while True:
            progress.total = len(self._catalog)
            done = self._catalog.count_vectors(model_id)
            progress.report(done)
            try:
                for chunk in self._reembedder.missing(new.batcher):
                    done += chunk.embedded + len(chunk.failed)
                    progress.report(done, [(record.id, error) for record, error in chunk.failed])
            except Overloaded as exc:
                progress.wait(exc.retry_after_s)
                continue
            return


def activate(models: Models, jobs: Jobs, runner: JobRunner, title: str) -> Job:
    """Queue the job, or find the one that does so already.

    Raises ``ModelNotFound``, ``ModelCorrupt``, or ``JobConflict`` while another model is on its way.
    """
    models.find(title)
    for job in jobs.unfinished():
        if job.kind == KIND:
            if job.arguments["model"] == title:
                return job
            raise JobConflict(job.id, f"{job.arguments['model']} is being activated")
    job = jobs.create(KIND, {"model": title})
    runner.wake()
    return job
