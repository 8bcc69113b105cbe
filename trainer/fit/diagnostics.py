"""Diagnostics of a run: whether it learns, and an error where it does not."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trainer.config import LossConfig
from trainer.errors import TrainingFailed
from trainer.losses.triplet import SOFT_SCALE

# Below this mean distance of unit vectors everything lies in one place.
_COLLAPSED = 0.02
# A loss this near to that of equal embeddings, as part of it, is at the margin.
_AT_MARGIN = 0.02
_PATIENCE = 3


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch.

    ``active`` is the part of anchors (or triplets) that still give a gradient, ``distance`` the mean
    pairwise distance in a batch, ``spread`` the mean standard deviation of a dimension times √D (1
    when unit vectors fill all directions), ``rank`` the effective rank, ``recall`` and ``map_at_r``
    Recall@1 and MAP@R on the validation classes, ``seconds`` the time that its steps took.
    """

    loss: float
    active: float
    distance: float
    spread: float
    rank: float
    recall: float | None
    map_at_r: float | None
    # Epochs are equal however long they took.
    seconds: float = field(default=0.0, compare=False)


def spread(embeddings: npt.NDArray[np.floating]) -> float:
    """Return the mean standard deviation over dimensions of [N, D], times √D."""
    return float(embeddings.std(axis=0).mean() * math.sqrt(embeddings.shape[1]))


def effective_rank(embeddings: npt.NDArray[np.floating]) -> float:
    """Return exp of the entropy of the normalised singular values of the centred [N, D].

    Roy & Vetterli, "The effective rank", EUSIPCO 2007. 1 when all lie on a line; 0 for one point.
    """
    centred = embeddings - embeddings.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    total = values.sum()
    if total < 1e-9:
        return 0.0
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def check_finite(loss: float, embeddings: npt.NDArray[np.floating]) -> None:
    """Raise ``TrainingFailed`` where the loss or an embedding is not finite."""
    if not math.isfinite(loss) or not np.isfinite(embeddings).all():
        raise TrainingFailed(
            "The loss is not a number. Lower optimizer.learning_rate (a tenth is a good next try), "
            "and raise optimizer.warmup."
        )


def mean_distance(embeddings: npt.NDArray[np.floating]) -> float:
    """Return the mean Euclidean distance of two different rows of unit [N, D], of 1,000 at most."""
    few = embeddings[np.linspace(0, len(embeddings) - 1, min(len(embeddings), 1000)).astype(int)]
    if len(few) < 2:
        return 0.0
    squared = np.maximum(2 - 2 * few @ few.T, 0)
    # Rounding leaves something of nothing, and its root is larger.
    np.fill_diagonal(squared, 0)
    return float(np.sqrt(squared).sum() / (len(few) * (len(few) - 1)))


def check(epochs: list[Epoch], start: float, loss: LossConfig) -> None:
    """Stop a run that has collapsed or does not learn; ``start`` is the mean distance before it.

    Raises ``TrainingFailed`` with what was seen and what to try.
    """
    last = epochs[-1]
    if last.distance < max(_COLLAPSED, start / 10):
        raise TrainingFailed(
            f"The network collapsed: embeddings lie {last.distance:.3f} from each other on average, "
            f"of {start:.3f} at the start (effective rank {last.rank:.1f}), and the loss is "
            f"{last.loss:.4f}. Lower optimizer.learning_rate, or raise "
            "loss.semi_hard_epochs."
        )
    if _is_stuck(epochs, loss):
        level = "what equal embeddings give" if _soft(loss) else f"the margin of {loss.margin}"
        raise TrainingFailed(
            f"The loss has stayed at {last.loss:.4f}, {level}, for {_PATIENCE} epochs with all "
            "triplets active, so positives are no nearer than negatives (mean distance "
            f"{last.distance:.3f}, effective rank {last.rank:.1f}). Check the labels, lower "
            "loss.margin and optimizer.learning_rate, or raise loss.semi_hard_epochs."
        )


def _is_stuck(epochs: list[Epoch], config: LossConfig) -> bool:
    """Whether the last epochs have the triplet loss of equal embeddings."""
    if config.name != "triplet" or len(epochs) < _PATIENCE:
        return False
    equal = math.log(2) / SOFT_SCALE if _soft(config) else config.margin
    if not all(
        abs(epoch.loss - equal) < _AT_MARGIN * equal and epoch.active > 0.99
        for epoch in epochs[-_PATIENCE:]
    ):
        return False
    # In a large batch some semi-hard negative is always about as far as the positive.
    return epochs[-1].distance < equal or not _semi_hard(len(epochs), config)


def _soft(config: LossConfig) -> bool:
    return config.soft_margin


def _semi_hard(number: int, config: LossConfig) -> bool:
    return config.mining == "semi_hard" or number <= config.semi_hard_epochs
