"""Puts another model in the place of the one that answers, without a gap.

Every stored image gets the new model's vector beside the old one, while searches go on with the old
model; then all at once the new one answers. The old vectors stay, so that going back is quick; so do
those that an adapted model's are mapped from.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import JobConflict
from app.gallery.gallery import Gallery
from app.inference.models import Models
from app.inference.reembedding import Reembedder
from app.inference.served_model import ActiveModel, ServedModel
from app.jobs.patience import patiently
from app.jobs.runner import JobRunner, Progress
from app.jobs.table import Job, Jobs
from app.storage.gallery_store import GalleryStore

KIND, ADAPT = "activate_model", "adapt_model"
_BEING = {KIND: "activated", ADAPT: "adapted"}
"""Kinds of jobs that change which model answers."""


class Activation:
    """The work of such a job. After an interruption it embeds what is still missing."""

    def __init__(
        self,
        *,
        models: Models,
        active: ActiveModel,
        gallery: Gallery,
        store: GalleryStore,
        reembedder: Reembedder,
    ) -> None:
        self._models, self._active, self._gallery = models, active, gallery
        self._store, self._reembedder = store, reembedder

    def __call__(self, arguments: Mapping[str, Any], progress: Progress) -> None:
        new = self._models.load(arguments["model"])
        old_id = self._active.model.id
        try:
            patiently(lambda: self._embed(new, progress), progress.wait)
            patiently(
                lambda: self._gallery.switch(new, lambda: self._models.remember(new.manifest)),
                progress.wait,
            )
        except BaseException:
            if self._active.model is not new:
                new.batcher.close()
            raise
        # What is two models back is not gone back to. An earlier run may have got as far as the switch.
        if old_id != new.id:
            base = [new.base.base_id] if new.base else []
            self._store.keep_vectors(old_id, new.id, *base)

    def embed_with(self, title: str, progress: Progress) -> None:
        """Give every stored image a vector of a model that need not answer. Raises ``ModelError``."""
        model = self._models.load(title)
        try:
            patiently(lambda: self._embed(model, progress), progress.wait)
        finally:
            model.batcher.close()

    def _embed(self, new: ServedModel, progress: Progress) -> None:
        """What the new model does not know yet, as far as it is stored now. Raises ``Overloaded``."""
        progress.total = self._store.count()
        done = self._store.summary().vectors.get(new.id, 0)
        progress.report(done)
        for chunk in self._reembedder.missing(new):
            done += chunk.done + len(chunk.failed)
            progress.report(done, [(record.id, error) for record, error in chunk.failed])


def activate(models: Models, jobs: Jobs, runner: JobRunner, title: str) -> Job:
    """Queue the job, or return the one that does so already.

    Raises ``ModelNotFound``, ``ModelCorrupt``, or ``JobConflict`` while another model is on its way.
    """
    models.find(title)
    return queue(jobs, runner, KIND, {"model": title})


def queue(jobs: Jobs, runner: JobRunner, kind: str, arguments: Mapping[str, Any]) -> Job:
    """Queue a job that changes which model answers, or return the one that does the same.

    Raises ``JobConflict`` while another such job has not ended.
    """
    for job in jobs.unfinished():
        if (job.kind, job.arguments) == (kind, arguments):
            return job
        if job.kind in _BEING:
            raise JobConflict(job.id, f"{job.arguments['model']} is being {_BEING[job.kind]}")
    job = jobs.create(kind, arguments)
    runner.wake()
    return job
