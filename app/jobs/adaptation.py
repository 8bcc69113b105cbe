"""Adapts a model to the gallery, without labels: centres and scales its vectors by those stored.

The new model is the old one with a linear map of its vectors at the end. Its vectors of the stored
images are mapped from theirs, so no image is decoded for it. Nothing serves until all of it is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.bundle import model_store
from app.bundle.adapted import check_writable, find_adapted, publish_adapted
from app.bundle.encoder import Vectors
from app.bundle.linear_map import LinearMap
from app.bundle.manifest import Evaluation
from app.bundle.model_store import Bundle
from app.bundle.whitening import fit_whitening
from app.config import Settings
from app.errors import AdaptationRefused, RuntimeUnavailable
from app.inference.models import Models
from app.inference.served_model import ActiveModel
from app.jobs import activation
from app.jobs.activation import Activation
from app.jobs.leave_one_out import Labels, clearly_less, leave_one_out, some_classes
from app.jobs.runner import JobRunner, Progress
from app.jobs.table import Job, Jobs
from app.storage.gallery_store import GalleryStore

MIN_IMAGES = 100
MAX_ADAPTED = 20
"""Adapted models in the store, of whatever name: each takes room for as long as it lies there."""
"""From 30 on no kind of picture that the model was not trained for was harmed (``benchmarks/adaptation.py``)."""

# Images that the map is fitted on, and of these, images that are searched where they have labels.
_FITTED, _ASKED = 20_000, 2_500
_PAGE = 1000
_PROTOCOL = (
    "Each of these labelled images of the gallery searched in the others; the map was fitted on images "
    "of this gallery, these among them, without a look at labels."
)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A map, and what it does to the labelled images that it was fitted on, where there are some."""

    linear: LinearMap
    images: int
    before: dict[str, float] | None = None
    evaluation: Evaluation | None = None
    harmful: bool = False


def fit(vectors: Vectors, labels: Labels) -> Fitted:
    """Fit the map on ``vectors`` float32 [N, D]; ``labels`` [N], empty without one, are for figures alone."""
    linear = fit_whitening(vectors, vectors.shape[1])
    places = some_classes(labels, _ASKED, np.random.default_rng(0))
    if not len(places):
        return Fitted(linear, len(vectors))
    asked, known = vectors[places], labels[places]
    before, after = leave_one_out(asked, known), leave_one_out(linear(asked), known)
    return Fitted(
        linear,
        len(vectors),
        before.means(),
        Evaluation(
            protocol=_PROTOCOL,
            queries=len(places),
            gallery=len(places) - 1,
            metrics=after.means(),
        ),
        clearly_less(before.map_at_r, after.map_at_r, known),
    )


class Adaptation:
    """The work of such a job: fit, publish, activate.

    After an interruption it looks for what it published already, and goes on from there.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        models: Models,
        active: ActiveModel,
        store: GalleryStore,
        activation: Activation,
    ) -> None:
        self._model_store, self._models, self._active = settings.model_store, models, active
        self._store, self._activation = store, activation

    def __call__(self, arguments: Mapping[str, Any], progress: Progress) -> None:
        name = arguments["name"]
        adapted = find_adapted(self._model_store, name, progress.job_id)
        if adapted is None:
            adapted = self._publish(arguments, progress)
        self._activation({"model": adapted.title}, progress)

    def _publish(self, arguments: Mapping[str, Any], progress: Progress) -> Bundle:
        """Raises ``AdaptationRefused`` or ``ModelError``, and then nothing was published."""
        base = self._models.find(arguments["model"])
        model_store.verify(base)
        if base.title != self._active.model.title:
            self._activation.embed_with(base.title, progress)
        vectors, labels = self._sample(base.manifest.model_id, progress)
        fitted = fit(vectors, labels)
        if fitted.harmful and fitted.evaluation and fitted.before and not arguments["force"]:
            raise AdaptationRefused(
                "Labelled images of the gallery would find their like less well (MAP@R "
                f"{fitted.before['map@r']:.3f} → {fitted.evaluation.metrics['map@r']:.3f}; `force` "
                "does it all the same)"
            )
        progress.check()
        return publish_adapted(
            self._model_store,
            base,
            fitted.linear,
            name=arguments["name"],
            images=fitted.images,
            job=progress.job_id,
            before=fitted.before,
            evaluation=fitted.evaluation,
        )

    def _sample(self, model_id: str, progress: Progress) -> tuple[Vectors, Labels]:
        """Vectors float32 [N, D] of images drawn at random, and their labels, empty without one."""
        rng = np.random.default_rng(0)
        share = _FITTED / max(self._store.count(), 1)
        labels: dict[str, str] = {}
        after = 0
        while records := self._store.page(after, _PAGE):
            drawn = rng.random(len(records)) < share
            labels |= {r.id: r.label or "" for r, d in zip(records, drawn, strict=True) if d}
            after = records[-1].position
            progress.check()
        known = self._store.vectors(model_id, list(labels))
        check_images(len(known))
        return np.stack(list(known.values())), np.array([labels[i] for i in known], np.str_)


def check_images(count: int) -> None:
    """Refuse to fit a map on too few images. Raises ``AdaptationRefused``."""
    if count < MIN_IMAGES:
        raise AdaptationRefused(
            f"The gallery has {count:,} images with vectors, and a map that is fitted on fewer than "
            f"{MIN_IMAGES:,} may do harm"
        )


def check_number(adapted: int) -> None:
    """Refuse to add to as many adapted models as there may be. Raises ``AdaptationRefused``."""
    if adapted >= MAX_ADAPTED:
        raise AdaptationRefused(
            f"The model store holds {adapted} adapted models, and {MAX_ADAPTED} are the most; remove the "
            "folders there of versions that are not needed"
        )


def adapt(
    settings: Settings,
    models: Models,
    jobs: Jobs,
    runner: JobRunner,
    *,
    images: int,
    title: str,
    name: str,
    force: bool,
) -> Job:
    """Queue the job, or return the one that does so already; ``images`` are stored.

    A model that was itself adapted stands for the one that it was adapted from: maps do not pile up.
    Raises ``ModelNotFound``, ``ModelCorrupt``, ``ParameterInvalid``, ``RuntimeUnavailable``,
    ``ModelStoreUnwritable``, ``AdaptationRefused``, or ``JobConflict`` while another model is on its way.
    """
    base = models.find(title)
    while base.manifest.base:
        base = models.find(base.manifest.base.model)
    if settings.runtime != "openvino":
        raise RuntimeUnavailable(settings.runtime, "an adapted model is a graph for OpenVINO alone")
    check_images(images)
    check_number(sum(bundle.manifest.base is not None for bundle in models.all()))
    check_writable(settings.model_store, name)
    return activation.queue(
        jobs, runner, activation.ADAPT, {"model": base.title, "name": name, "force": force}
    )
