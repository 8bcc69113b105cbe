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
# Fewer queries than this say too little to stop a run.
_ENOUGH = 20


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch.

    ``active`` is the part of anchors (or triplets) that still give a gradient, ``distance`` the mean
    pairwise distance in a batch, ``spread`` the mean standard deviation of a dimension times √D (1
    when unit vectors fill all directions), ``rank`` the effective rank, ``recall`` Recall@1 on the
    validation classes, ``seconds`` the time that its steps took.
    """

    stage: str
    loss: float
    active: float
    distance: float
    spread: float
    rank: float
    recall: float | None
    # An interrupted run of an earlier version has none. Epochs are equal however long they took.
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
            "The loss is not a number. Lower optimizer.learning_rate and "
            "optimizer.head_learning_rate (a tenth is a good next try), and raise optimizer.warmup."
        )


def check(
    epochs: list[Epoch],
    untrained: float | None,
    queries: int,
    loss: LossConfig,
    *,
    planned: int,
) -> None:
    """Stop a run that has collapsed or does not learn.

    ``untrained`` is the validation Recall@1 of the frozen features over ``queries`` queries,
    ``planned`` the number of epochs that the whole network is trained for.
    Raises ``TrainingFailed`` with what was seen and what to try.
    """
    last = epochs[-1]
    if last.distance < _COLLAPSED:
        raise TrainingFailed(
            f"The network collapsed: all embeddings lie within {last.distance:.4f} of each other "
            f"(effective rank {last.rank:.1f}) and the loss is {last.loss:.4f}. Lower "
            "optimizer.learning_rate and optimizer.head_learning_rate, set head_epochs above 0, or "
            "raise loss.semi_hard_epochs."
        )
    stage = [e for e in epochs if e.stage == last.stage]
    if _is_stuck(stage, untrained, loss):
        level = "what equal embeddings give" if _soft(loss) else f"the margin of {loss.margin}"
        raise TrainingFailed(
            f"The loss has stayed at {last.loss:.4f}, {level}, for {_PATIENCE} epochs with all "
            "triplets active, so positives are no nearer than negatives (mean distance "
            f"{last.distance:.3f}, effective rank {last.rank:.1f}). Check the labels, lower "
            "loss.margin and optimizer.learning_rate, or raise loss.semi_hard_epochs."
        )
    _check_recall(epochs, untrained, queries, planned)


def _is_stuck(stage: list[Epoch], untrained: float | None, config: LossConfig) -> bool:
    """Whether the last epochs of a stage have the triplet loss of equal embeddings, and nothing else
    says that they learn.
    """
    if config.name not in ("triplet", "fixed_triplets") or len(stage) < _PATIENCE:
        return False
    equal = math.log(2) / SOFT_SCALE if _soft(config) else config.margin
    if not all(
        abs(epoch.loss - equal) < _AT_MARGIN * equal and epoch.active > 0.99
        for epoch in stage[-_PATIENCE:]
    ):
        return False
    last = stage[-1]
    if last.recall is not None and untrained is not None:
        return last.recall <= untrained
    # In a large batch some semi-hard negative is always about as far as the positive.
    return last.distance < equal or not _semi_hard(last.stage, len(stage), config)


def _soft(config: LossConfig) -> bool:
    return config.soft_margin and config.name == "triplet"


def _semi_hard(stage: str, number: int, config: LossConfig) -> bool:
    first = 1 if stage == "head" else number
    return config.name == "triplet" and (
        config.mining == "semi_hard" or first <= config.semi_hard_epochs
    )


def _check_recall(epochs: list[Epoch], untrained: float | None, queries: int, planned: int) -> None:
    """A third of the network's epochs, at least three, must not all be clearly below the start."""
    if untrained is None or queries < _ENOUGH:
        return
    # Two standard errors of a difference, the share taken a little towards a half (Laplace's rule).
    share = (untrained * queries + 1) / (queries + 2)
    noise = 2 * math.sqrt(2 * share * (1 - share) / queries)
    needed = max(_PATIENCE, math.ceil(planned / 3))
    trained = [e for e in epochs if e.stage == "network" and e.recall is not None]
    if len(trained) < needed:
        return
    best = max(e.recall for e in epochs if e.recall is not None)
    if best < untrained - noise:
        last = trained[-1]
        raise TrainingFailed(
            f"After {len(trained)} epochs the best validation recall@1 is {best:.3f}, clearly below "
            f"the {untrained:.3f} of the untrained backbone, so training makes the features worse "
            f"(loss {last.loss:.4f}, active {last.active:.0%}, effective rank {last.rank:.1f}). "
            "Check that folders are classes of things that look alike; lower optimizer.learning_rate; use "
            "network.head = 'linear'; do not freeze the backbone under a random head."
        )
