"""The history of a run: its epochs, the weights selected for publishing, and the state on disk."""

from dataclasses import asdict, dataclass, field
from typing import Any

import keras

from gemello.progress import say
from trainer.config import TrainConfig
from trainer.errors import TrainingFailed
from trainer.fit import diagnostics
from trainer.fit.checkpoint import Checkpoint, State, Weights
from trainer.fit.diagnostics import Epoch
from trainer.fit.steps import Means
from trainer.fit.validation import Hits, Validation, recall
from trainer.network.features import Floats


@dataclass
class History:
    """Recall@1 on the validation classes: ``untrained`` of the pretrained features, ``best`` of the
    best epoch, ``selected`` of the one whose weights are published.
    """

    untrained: float | None
    epochs: list[Epoch] = field(default_factory=list)
    best: float | None = None
    selected: float | None = None

    def as_rows(self) -> list[dict[str, Any]]:
        """Return the epochs, ready for JSON."""
        return [asdict(epoch) for epoch in self.epochs]

    def as_manifest(self) -> dict[str, Any]:
        """Return the part of a model's manifest on its training."""
        return {
            "untrained_validation_recall@1": self.untrained,
            "best_validation_recall@1": self.best,
            "kept_validation_recall@1": self.selected,
            "epochs": self.as_rows(),
        }

    def as_state(self) -> dict[str, Any]:
        """Return the document that ``of_state`` reads, ready for JSON."""
        return {
            "untrained": self.untrained,
            "epochs": self.as_rows(),
            "best": self.best,
            "kept": self.selected,
        }

    @classmethod
    def of_state(cls, values: dict[str, Any]) -> "History":
        """Return the history that ``as_state`` was made of."""
        epochs = [Epoch(**row) for row in values["epochs"]]
        return cls(values["untrained"], epochs, values["best"], values["kept"])


class Recorder:
    """Records the epochs of one run, and selects the weights to publish."""

    def __init__(
        self,
        embedder: keras.Model,
        validation: Validation,
        config: TrainConfig,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.validation, self.history = validation, History(None)
        self.selected_weights: Weights | None = None
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
        """Add epoch ``number`` of ``count``, show it, and select its weights.

        Those of an earlier epoch stay selected where this one is clearly worse than the best: few
        queries make a best one by chance, and as the learning rate falls the last are the best
        there are. ``embeddings`` [N, D] are the network's of the validation images, or of training
        images where there are none. Raises ``TrainingFailed`` when the run has collapsed or does
        not learn; where ``config.stop_if_failing`` is off it only warns.
        """
        loss, active, distance = means.values()
        diagnostics.check_finite(loss, embeddings)
        hits = self.validation.hits(embeddings)
        epoch = Epoch(
            stage,
            round(loss, 5),
            round(active, 4),
            round(distance, 4),
            round(diagnostics.spread(embeddings), 4),
            round(diagnostics.effective_rank(embeddings), 1),
            recall(hits),
            round(means.seconds, 2),
        )
        self.history.epochs.append(epoch)
        shown = "" if epoch.recall is None else f", validation recall@1 {epoch.recall:.4f}"
        say(
            f"{stage} {number}/{count}: loss {epoch.loss:.4f}, active {epoch.active:.0%}, "
            f"mean distance {epoch.distance:.3f}, rank {epoch.rank:.0f}{shown}"
        )
        self._check()
        self._select(hits)

    def _select(self, hits: Hits | None) -> None:
        if hits is not None:
            best = self._best_hits
            if best is None or hits.sum() >= best.sum():
                self._best_hits, self.history.best = hits, recall(hits)
            elif self.validation.clearly_worse(hits, best):
                return
        self.history.selected = recall(hits)
        self.selected_weights = self._embedder.get_weights()

    def _check(self) -> None:
        try:
            diagnostics.check(
                self.history.epochs,
                self.history.untrained,
                self.validation.queries,
                self._config.loss,
                planned=self._config.epochs,
            )
        except TrainingFailed as failure:
            if self._config.stop_if_failing:
                raise
            if not self._warned:
                self._warned = True
                say(f"{failure} Training continues, because stop_if_failing is off.")

    def save(self, values: dict[str, Any], **arrays: Weights) -> None:
        """Write the state to disk, with ``values`` and ``arrays`` of the stage itself."""
        if self._checkpoint is None:
            return
        arrays["weights"] = self._embedder.get_weights()
        if self.selected_weights is not None:
            arrays["kept"] = self.selected_weights
        if self._best_hits is not None:
            arrays["best_hits"] = [self._best_hits]
        self._checkpoint.save(State(arrays, {**values, "history": self.history.as_state()}))

    def restore(self, state: State) -> None:
        """Continue from ``state``, the network's weights included."""
        self.history = History.of_state(state.values["history"])
        self.selected_weights = state.arrays.get("kept")
        self._best_hits = next(iter(state.arrays.get("best_hits", [])), None)
        self._embedder.set_weights(state.arrays["weights"])
        done = f"epoch {self.finished}" if self.finished else "the head's epochs"
        say(f"resuming after {done}")
