"""What a run has seen and what it keeps: its epochs, the weights to publish, its state on disk."""

from dataclasses import asdict, dataclass, field
from typing import Any

import keras

from trainer.config import TrainConfig
from trainer.errors import TrainingFailed
from trainer.fit import signals
from trainer.fit.checkpoint import Checkpoint, State, Weights
from trainer.fit.judge import Hits, Judge, recall
from trainer.fit.signals import Epoch
from trainer.fit.steps import Means
from trainer.network.features import Floats
from trainer.progress import say


@dataclass
class History:
    """Recall@1 on the validation classes: ``untrained`` of the pretrained features, ``best`` of the
    best epoch, ``kept`` of the one whose weights are published.
    """

    untrained: float | None
    epochs: list[Epoch] = field(default_factory=list)
    best: float | None = None
    kept: float | None = None

    def as_rows(self) -> list[dict[str, Any]]:
        return [asdict(epoch) for epoch in self.epochs]


class Journal:
    """The history of one run, and the weights to publish."""

    def __init__(
        self,
        embedder: keras.Model,
        judge: Judge,
        config: TrainConfig,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.judge, self.history = judge, History(None)
        self.kept: Weights | None = None
        self._best_hits: Hits | None = None
        self._embedder, self._config, self._checkpoint = embedder, config, checkpoint
        self._warned = False

    @property
    def finished(self) -> int:
        """Epochs of the whole network that are done."""
        return sum(epoch.stage == "network" for epoch in self.history.epochs)

    @property
    def stale(self) -> int:
        """Epochs of the whole network since the best validation recall."""
        best, count = None, 0
        for epoch in self.history.epochs:
            better = epoch.recall is None or best is None or epoch.recall > best
            best = epoch.recall if better else best
            count = 0 if better or epoch.stage == "head" else count + 1
        return count

    def record(self, stage: str, number: int, count: int, means: Means, embeddings: Floats) -> None:
        """Add epoch ``number`` of ``count``, show it, and keep its weights.

        Those of an earlier epoch stay where this one is clearly worse than the best: few queries
        make a best one by chance, and as the learning rate falls the last are the best there are.
        ``embeddings`` [N, D] are the network's of the judge's images, or of others where it has
        none. Raises ``TrainingFailed`` when the run has died or gets nowhere; of that there is
        only a word where ``config.stop_if_failing`` is off.
        """
        loss, active, distance = means.values()
        signals.check_finite(loss, embeddings)
        hits = self.judge.hits(embeddings)
        found = recall(hits)
        epoch = Epoch(
            stage,
            round(loss, 5),
            round(active, 4),
            round(distance, 4),
            round(signals.spread(embeddings), 4),
            round(signals.effective_rank(embeddings), 1),
            found,
            round(means.seconds, 2),
        )
        self.history.epochs.append(epoch)
        shown = "" if found is None else f", validation recall@1 {found:.4f}"
        say(
            f"{stage} {number}/{count}: loss {epoch.loss:.4f}, active {epoch.active:.0%}, "
            f"mean distance {epoch.distance:.3f}, rank {epoch.rank:.0f}{shown}"
        )
        self._check()
        self._keep_weights(hits)

    def _keep_weights(self, hits: Hits | None) -> None:
        if hits is not None:
            best = self._best_hits
            if best is None or hits.sum() >= best.sum():
                self._best_hits, self.history.best = hits, recall(hits)
            elif self.judge.clearly_worse(hits, best):
                return
        self.history.kept = recall(hits)
        self.kept = self._embedder.get_weights()

    def _check(self) -> None:
        try:
            signals.check(
                self.history.epochs,
                self.history.untrained,
                self.judge.queries,
                self._config.loss,
                planned=self._config.epochs,
            )
        except TrainingFailed as failure:
            if self._config.stop_if_failing:
                raise
            if not self._warned:
                self._warned = True
                say(f"{failure} It goes on all the same, as stop_if_failing is off.")

    def keep(self, facts: dict[str, Any], **arrays: Weights) -> None:
        """Write the state to disk, with what the stage itself must remember."""
        if self._checkpoint is None:
            return
        arrays["weights"] = self._embedder.get_weights()
        if self.kept is not None:
            arrays["kept"] = self.kept
        if self._best_hits is not None:
            arrays["best_hits"] = [self._best_hits]
        self._checkpoint.save(State(arrays, {**facts, "history": asdict(self.history)}))

    def take_up(self, state: State) -> None:
        """Go on from ``state``, the network's weights included."""
        kept = state.facts["history"]
        epochs = [Epoch(**row) for row in kept["epochs"]]
        self.history = History(kept["untrained"], epochs, kept["best"], kept["kept"])
        self.kept = state.arrays.get("kept")
        self._best_hits = next(iter(state.arrays.get("best_hits", [])), None)
        self._embedder.set_weights(state.arrays["weights"])
        done = f"epoch {self.finished}" if self.finished else "the head's epochs"
        say(f"going on after {done}")
