"""The history of a run: its epochs, the fine-tuned weights, and the state on disk."""

from dataclasses import asdict, dataclass, field
from typing import Any

import keras

from gemello.progress import say
from trainer.config import TrainConfig
from trainer.fit import diagnostics
from trainer.fit.checkpoint import Checkpoint, State, Weights
from trainer.fit.diagnostics import Epoch
from trainer.fit.ladder import ADAPTED
from trainer.fit.steps import Means
from trainer.fit.validation import Validation
from trainer.network.features import Floats

# Before a rung's name, in the names of a state's arrays.
_HEAD = "head_"


@dataclass
class History:
    """The epochs, and the ``ladder`` that they led to (``ladder.as_manifest``).

    ``untrained`` is recall@1 of the adapted features on the validation classes, None without any;
    ``distance`` their mean distance from each other. ``adapted`` are the weights that give them.
    """

    untrained: float | None
    distance: float
    epochs: list[Epoch] = field(default_factory=list)
    ladder: list[dict[str, Any]] = field(default_factory=list)
    adapted: Weights = field(default_factory=list, repr=False)

    def as_rows(self) -> list[dict[str, Any]]:
        """Return the epochs, ready for JSON."""
        return [asdict(epoch) for epoch in self.epochs]

    def as_manifest(self) -> dict[str, Any]:
        """Return the part of a model's manifest on its training."""
        return {
            "ladder": self.ladder,
            "untrained_validation_recall@1": self.untrained,
            "epochs": self.as_rows(),
        }

    def refuse(self, reason: str) -> None:
        """Have *adapted* published instead of the chosen rung, which was not shown to be better for ``reason``."""
        self.ladder = [
            {
                **rung,
                "published": rung["name"] == ADAPTED,
                **({"refused": reason} if rung["published"] else {}),
            }
            for rung in self.ladder
        ]

    @property
    def published(self) -> str:
        """The name of the rung that is published."""
        return next(str(rung["name"]) for rung in self.ladder if rung["published"])


class Recorder:
    """Records the epochs of one run.

    ``heads`` are those on frozen features, by their rung's name; ``fine_tuned`` the weights after the last
    epoch that nothing was wrong with, None before. The state on disk has them all.
    """

    def __init__(
        self,
        embedder: keras.Model,
        validation: Validation,
        config: TrainConfig,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.validation, self.history = validation, History(None, 0.0)
        self.fine_tuned: Weights | None = None
        self.heads: dict[str, Weights] = {}
        self._embedder, self._config, self._checkpoint = embedder, config, checkpoint

    @property
    def finished(self) -> int:
        """Epochs that are done."""
        return len(self.history.epochs)

    def begin(self, embeddings: Floats) -> None:
        """Note where training starts: adapted ``embeddings`` [N, D] of the validation images.

        Of training images where there are none to validate with.
        """
        scores = self.validation.scores(embeddings) if self.validation.queries else None
        self.history.untrained = scores.recall if scores else None
        self.history.distance = diagnostics.mean_distance(embeddings)

    def record(self, number: int, count: int, means: Means, embeddings: Floats) -> None:
        """Add epoch ``number`` of ``count``, show it, and take its weights.

        ``embeddings`` [N, D] are the network's of the validation images, or of training images where
        there are none. Raises ``TrainingFailed`` when the run has collapsed or does not learn.
        """
        loss, active, distance = means.values()
        diagnostics.check_finite(loss, embeddings)
        scores = self.validation.scores(embeddings) if self.validation.queries else None
        epoch = Epoch(
            round(loss, 5),
            round(active, 4),
            round(distance, 4),
            round(diagnostics.spread(embeddings), 4),
            round(diagnostics.effective_rank(embeddings), 1),
            scores.recall if scores else None,
            scores.map_at_r if scores else None,
            round(means.seconds, 2),
        )
        self.history.epochs.append(epoch)
        shown = f", recall@1 {scores.recall:.3f}, MAP@R {scores.map_at_r:.3f}" if scores else ""
        say(
            f"epoch {number}/{count}: loss {epoch.loss:.4f}, active {epoch.active:.0%}, "
            f"mean distance {epoch.distance:.3f}, rank {epoch.rank:.0f}{shown}"
        )
        diagnostics.check(self.history.epochs, self.history.distance, self._config.loss)
        self.fine_tuned = self._embedder.get_weights()

    def save(self, values: dict[str, Any], **arrays: Weights) -> None:
        """Write the state to disk, with ``values`` and ``arrays`` of fine-tuning itself."""
        if self._checkpoint is None:
            return
        arrays["weights"] = self._embedder.get_weights()
        arrays |= {f"{_HEAD}{name}": weights for name, weights in self.heads.items()}
        if self.fine_tuned is not None:
            arrays["fine_tuned"] = self.fine_tuned
        values = {
            **values,
            "untrained": self.history.untrained,
            "distance": self.history.distance,
            "epochs": self.history.as_rows(),
        }
        self._checkpoint.save(State(arrays, values))

    def restore(self, state: State) -> None:
        """Continue from ``state``, the network's weights included."""
        epochs = [Epoch(**row) for row in state.values["epochs"]]
        self.history = History(state.values["untrained"], state.values["distance"], epochs)
        self.fine_tuned = state.arrays.get("fine_tuned")
        self._embedder.set_weights(state.arrays["weights"])
        self.heads = {
            name.removeprefix(_HEAD): weights
            for name, weights in state.arrays.items()
            if name.startswith(_HEAD)
        }
        done = f"epoch {self.finished}" if self.finished else "the heads"
        say(f"resuming after {done}")
