"""Training: the head on frozen features first, then the network, best weights kept.

What an epoch does stands in ``trainer.steps``; this module says what happens in which order, and
what is kept in between.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer import sampling, signals
from trainer.average import MovingAverage
from trainer.cache import ImageCache
from trainer.checkpoint import Checkpoint, State, Weights
from trainer.config import Mining, TrainConfig
from trainer.data import numbered
from trainer.features import Floats, predict, predicted, principal_axes, unit
from trainer.judge import Judge
from trainer.losses.objective import make_objective
from trainer.network import Network
from trainer.optimizer import Parts, make_optimizer
from trainer.progress import say, track
from trainer.rows import FeatureFile
from trainer.siamese import draw_triplets
from trainer.signals import Epoch
from trainer.steps import Means, head_step, network_step, triplet_step
from trainer.stream import Examples, Indices, stream

# Features that the principal axes are taken from; more change them little.
_AXES_FROM = 10_000
# Images whose embeddings show spread and rank where there are no validation images.
_LOOKED_AT = 256


@dataclass
class History:
    """``untrained`` is Recall@1 of the pretrained features on the validation classes."""

    untrained: float | None
    epochs: list[Epoch] = field(default_factory=list)
    best: float | None = None

    def as_rows(self) -> list[dict[str, Any]]:
        return [asdict(epoch) for epoch in self.epochs]


def fit(
    network: Network,
    train: ImageCache,
    validation: ImageCache,
    config: TrainConfig,
    *,
    checkpoint: Checkpoint | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> History:
    """Train ``network`` in place and leave the best weights in it.

    ``train`` holds images at ``config.cache_size``, ``validation`` at ``config.input_size``; without
    two validation images of a class the last weights count as the best. ``checkpoint`` takes the
    state after every epoch; a state in it is gone on from. ``network`` must have been built inside
    the scope of ``strategy``. Raises ``DataError`` or ``TrainingFailed``.
    """
    run = _Run(network, train, validation, config, checkpoint, strategy)
    run.start()
    if run.finished_stage is None:
        run.fit_head()
    run.fit_network()
    run.finish()
    return run.history


class _Run:
    """The state of one run, from the first feature to the best weights."""

    def __init__(
        self,
        network: Network,
        train: ImageCache,
        validation: ImageCache,
        config: TrainConfig,
        checkpoint: Checkpoint | None,
        strategy: tf.distribute.Strategy | None,
    ) -> None:
        self.network, self.train, self.config = network, train, config
        self.checkpoint = checkpoint
        self.strategy = strategy or tf.distribute.get_strategy()
        self.rng = np.random.default_rng(config.seed)
        self.labels = np.array(numbered(train.records), np.int32)
        self.judge = Judge(validation)
        self.pretrained = network.embedder.get_weights()
        self.history = History(None)
        self.best: Weights | None = None
        self.finished_stage: str | None = None
        self.finished_epochs = 0
        self.saved: State | None = checkpoint.load() if checkpoint else None

    def start(self) -> None:
        """Measure the pretrained features, or take up a saved state."""
        if self.saved is None:
            features = unit(predict(self.network.features, self.judge.images))
            self.history.untrained = self.judge.recall(features)
            return
        facts = self.saved.facts
        self.history = History(
            facts["untrained"], [Epoch(**row) for row in facts["epochs"]], facts["best"]
        )
        self.finished_stage, self.finished_epochs = facts["stage"], facts["finished"]
        self.rng.bit_generator.state = facts["rng"]
        self.pretrained = self.saved.arrays["pretrained"]
        self.best = self.saved.arrays.get("best")
        self.network.embedder.set_weights(self.saved.arrays["weights"])
        say(f"going on after {self.finished_stage} epoch {self.finished_epochs}")

    def fit_head(self) -> None:
        """Features are computed once, without augmentation; then an epoch takes seconds."""
        config, head = self.config, self.network.head
        linear = isinstance(head, keras.layers.Dense)
        if not config.head_epochs and not (linear and config.head_init == "pca"):
            return
        places = self._head_places()
        features = self._features(places)
        labels = self.labels[places]
        if linear and config.head_init == "pca":
            some = self.rng.permutation(len(features))[:_AXES_FROM]
            head.set_weights([principal_axes(features[np.sort(some)], config.dimension, self.rng)])
            self.pretrained = self.network.embedder.get_weights()
        if not config.head_epochs or config.loss == "fixed_triplets":
            return
        judged = predict(self.network.features, self.judge.images)
        batches = sampling.steps_per_epoch(labels.tolist(), config.classes_per_batch)
        with self.strategy.scope():
            model = keras.Sequential([keras.Input(features.shape[1:]), head])
            objective = make_objective(config, int(self.labels.max()) + 1, mining=self._first())
            rate = make_optimizer(config.head_learning_rate, config.head_epochs * batches, config)
            parts = Parts((rate, [*model.trainable_variables, *objective.trainable_variables]))
            step = head_step(model, objective, parts, self.strategy)
        for number in range(1, config.head_epochs + 1):
            means = Means()
            for batch in sampling.epoch_batches(
                labels.tolist(), config.classes_per_batch, config.images_per_class, self.rng
            ):
                means.add(step(tf.constant(features[batch]), tf.constant(labels[batch])))
            looked_at = judged if len(judged) else features[: min(len(features), _LOOKED_AT)]
            embeddings = unit(np.asarray(model(looked_at)))
            self._record("head", number, config.head_epochs, means, embeddings)
        self._keep("head", config.head_epochs)

    def fit_network(self) -> None:
        config, network = self.config, self.network
        if not config.epochs:
            return
        frozen = network.freeze(config.frozen_stages)
        own = {id(variable) for variable in network.backbone.variables}
        rest = [v for v in network.embedder.trainable_variables if id(v) not in own]
        teacher = self._features(None) if config.distillation else None
        examples = Examples(self.train.images, self.labels, teacher)
        draw, batches = self._drawer()
        replicas = self.strategy.num_replicas_in_sync
        steps = max(batches // replicas, 1)
        total = steps * config.epochs
        with self.strategy.scope():
            later = self._objective(None)
            backbone = make_optimizer(config.learning_rate, total, config)
            head = make_optimizer(config.head_learning_rate, total, config)
            extra = list(later.trainable_variables) if later is not None else []
            parts = Parts((backbone, frozen), (head, [*rest, *extra]))
            step = first = self._step(later, parts)
            if config.loss == "triplet" and config.mining != "semi_hard":
                first = self._step(self._objective("semi_hard"), parts)
        average = MovingAverage(network.embedder.trainable_variables, config.ema)
        self._take_up(parts, average)
        stale = 0
        for number in range(self.finished_epochs + 1, config.epochs + 1):
            doing = first if number <= config.semi_hard_epochs else step
            means = Means()
            seen = steps * replicas * config.batch_size
            with track(f"epoch {number}/{config.epochs}", seen) as advance:
                data = self.strategy.distribute_datasets_from_function(
                    lambda _: stream(examples, draw, config)
                )
                for _, batch in zip(range(steps), data, strict=False):
                    means.add(doing(*batch))
                    average.update()
                    advance(replicas * config.batch_size)
            with average.applied():
                embeddings = self._embeddings()
                better = self._record("network", number, config.epochs, means, embeddings)
            self._keep("network", number, parts, average)
            stale = 0 if better else stale + 1
            if config.patience and stale >= config.patience:
                say(f"no better validation recall for {stale} epochs, so it stops here")
                break

    def finish(self) -> None:
        """The best weights, blended with the pretrained ones where asked for."""
        model = self.network.embedder
        trained = self.best if self.best is not None else model.get_weights()
        share = self.config.blend
        if share < 1:
            # Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903.
            pairs = zip(self.pretrained, trained, strict=True)
            trained = [old + share * (new - old) for old, new in pairs]
        model.set_weights(trained)

    def _first(self) -> Mining | None:
        return "semi_hard" if self.config.semi_hard_epochs else None

    def _objective(self, mining: Mining | None) -> keras.layers.Layer | None:
        if self.config.loss == "fixed_triplets":
            return None
        return make_objective(self.config, int(self.labels.max()) + 1, mining=mining)

    def _step(self, objective: keras.layers.Layer | None, parts: Parts) -> Callable[..., Any]:
        embedder = self.network.embedder
        if objective is None:
            return triplet_step(embedder, self.config.margin, parts, self.strategy)
        return network_step(embedder, objective, self.config.distillation, parts, self.strategy)

    def _drawer(self) -> tuple[Callable[[], Iterator[Indices]], int]:
        """What draws an epoch's batches, and how many those are."""
        config, labels = self.config, self.labels.tolist()
        if config.loss == "fixed_triplets":
            triplets = draw_triplets(labels, len(labels), self.rng)
            size = max(config.batch_size // 3, 1)
            count = config.steps_per_epoch or -(-len(triplets) // size)

            def replay() -> Iterator[Indices]:
                order = np.resize(self.rng.permutation(len(triplets)), count * size)
                for rows in order.reshape(count, size):
                    # All anchors, then all positives, then all negatives.
                    yield triplets[rows].T.reshape(-1)

            return replay, count
        single = config.single_images
        count = config.steps_per_epoch or sampling.steps_per_epoch(
            labels, config.classes_per_batch, single=single
        )

        def draw() -> Iterator[Indices]:
            return sampling.epoch_batches(
                labels,
                config.classes_per_batch,
                config.images_per_class,
                self.rng,
                steps=count,
                neighbours=self._neighbours() if config.hard_classes else None,
                hard=config.hard_classes,
                single=single,
            )

        return draw, count

    def _neighbours(self) -> Indices:
        """The nearest classes of each, as the network sees them now."""
        centroids = sampling.class_centroids(
            predict(self.network.embedder, self.train.images), self.labels.tolist()
        )
        return sampling.neighbour_classes(centroids, self.config.classes_per_batch)

    def _head_places(self) -> Indices:
        """Whole classes, drawn at random, up to ``head_images`` images, in order."""
        order = self.rng.permutation(int(self.labels.max()) + 1)
        sizes = np.bincount(self.labels)[order]
        classes = order[: max(int((sizes.cumsum() <= self.config.head_images).sum()), 2)]
        return np.flatnonzero(np.isin(self.labels, classes)).astype(np.int64)

    def _features(self, places: Indices | None) -> FeatureFile:
        """Frozen features of the training images, on disk."""
        images = self.train.images if places is None else self.train.images.subset(places)
        stored = FeatureFile(self.train.folder, self.network.features.output_shape[1])
        with track("pretrained features", len(images)) as advance:
            for chunk in predicted(self.network.features, images, advance):
                stored.append(chunk)
        return stored

    def _embeddings(self) -> Floats:
        looked_at = self.judge.images
        if not len(looked_at):
            looked_at = self.train.images.subset(np.arange(min(len(self.labels), _LOOKED_AT)))
        return predict(self.network.embedder, looked_at)

    def _record(
        self, stage: str, number: int, count: int, means: Means, embeddings: Floats
    ) -> bool:
        """Add an epoch, show it, keep its weights when they are the best; True when they are.

        Raises ``TrainingFailed`` when the run has died or gets nowhere.
        """
        loss, active, distance = means.values()
        recall = self.judge.recall(embeddings) if len(self.judge.images) else None
        epoch = Epoch(
            stage,
            round(loss, 5),
            round(active, 4),
            round(distance, 4),
            round(signals.spread(embeddings), 4),
            round(signals.effective_rank(embeddings), 1),
            recall,
        )
        self.history.epochs.append(epoch)
        shown = "" if recall is None else f", validation recall@1 {recall:.4f}"
        say(
            f"{stage} {number}/{count}: loss {epoch.loss:.4f}, active {epoch.active:.0%}, "
            f"mean distance {epoch.distance:.3f}, rank {epoch.rank:.0f}{shown}"
        )
        signals.check(self.history.epochs, self.history.untrained, self.judge.queries, self.config)
        best = self.history.best
        better = recall is None or best is None or recall > best
        if better or recall == best:
            self.history.best = recall
            self.best = self.network.embedder.get_weights()
        return better

    def _keep(
        self,
        stage: str,
        finished: int,
        parts: Parts | None = None,
        average: MovingAverage | None = None,
    ) -> None:
        if self.checkpoint is None:
            return
        arrays = {"weights": self.network.embedder.get_weights(), "pretrained": self.pretrained}
        if self.best is not None:
            arrays["best"] = self.best
        if parts is not None:
            arrays["optimizer"] = [np.asarray(variable) for variable in parts.state]
        if average is not None:
            arrays["average"] = average.values
        facts = {
            "stage": stage,
            "finished": finished if stage == "network" else 0,
            "untrained": self.history.untrained,
            "best": self.history.best,
            "epochs": self.history.as_rows(),
            "rng": self.rng.bit_generator.state,
            "average_steps": average.steps if average else 0,
        }
        self.checkpoint.save(State(arrays, facts))

    def _take_up(self, parts: Parts, average: MovingAverage) -> None:
        """Optimisers and average as they were saved."""
        if self.saved is None or "optimizer" not in self.saved.arrays:
            return
        for variable, value in zip(parts.state, self.saved.arrays["optimizer"], strict=True):
            variable.assign(value)
        if average.values:
            average.values = self.saved.arrays["average"]
            average.steps = self.saved.facts["average_steps"]
