"""The signs of learning against naive formulas, and the alarms on histories made for them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.trainer.losses.batches import unit
from trainer.config import Loss, LossConfig
from trainer.errors import TrainingFailed
from trainer.fit import diagnostics
from trainer.fit.diagnostics import Epoch
from trainer.losses.triplet import SOFT_SCALE

LOSS = LossConfig(name="triplet", margin=0.1)
HEALTHY = Epoch(0.05, 0.4, 0.9, 0.8, 60.0, 0.8, 0.5, 10.0)


def history(*losses: float, **values: Any) -> list[Epoch]:
    """Epochs of the network with these losses, otherwise healthy but for ``values``."""
    return [replace(HEALTHY, loss=loss, **values) for loss in losses]


def check(epochs: list[Epoch], loss: LossConfig = LOSS, start: float = 1.0) -> None:
    diagnostics.check(epochs, start, loss)


def test_spread_is_the_mean_deviation_of_a_dimension() -> None:
    x = unit(40, 0, dimension=6)
    deviations = []
    for column in x.T.tolist():
        mean = sum(column) / len(column)
        deviations.append(math.sqrt(sum((v - mean) ** 2 for v in column) / len(column)))
    assert diagnostics.spread(x) == pytest.approx(sum(deviations) / 6 * math.sqrt(6), rel=1e-5)
    assert diagnostics.spread(np.ones((5, 3), np.float32)) == 0
    everywhere = np.random.default_rng(0).normal(size=(4000, 64))
    everywhere /= np.linalg.norm(everywhere, axis=1, keepdims=True)
    assert diagnostics.spread(everywhere) == pytest.approx(1, abs=0.02)


def test_effective_rank_is_the_exponential_of_the_entropy_of_singular_values() -> None:
    x = unit(30, 0, dimension=5)
    centred = x - x.mean(axis=0)
    # Singular values are the roots of the eigenvalues of the Gram matrix.
    values = [math.sqrt(max(v, 0)) for v in np.linalg.eigvalsh((centred.T @ centred).astype(float))]
    entropy = -sum(v / sum(values) * math.log(v / sum(values)) for v in values if v > 0)
    assert diagnostics.effective_rank(x) == pytest.approx(math.exp(entropy), rel=1e-4)


def test_effective_rank_counts_directions() -> None:
    def corners(k: int) -> np.ndarray:
        return np.concatenate([np.eye(8)[:k], -np.eye(8)[:k]]).astype(np.float32)

    for k in (1, 3, 8):
        assert diagnostics.effective_rank(corners(k)) == pytest.approx(k)
    assert diagnostics.effective_rank(np.ones((6, 4), np.float32)) == 0
    assert diagnostics.effective_rank(unit(1, 4)) == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_a_number_stops(bad: float) -> None:
    diagnostics.check_finite(0.1, unit(3, 4))
    for loss, embeddings in ((bad, unit(3, 4)), (0.1, np.full((3, 4), bad))):
        with pytest.raises(TrainingFailed, match=r"not a number\. Lower optimizer\.learning_rate"):
            diagnostics.check_finite(loss, embeddings)


@pytest.mark.parametrize("rows", [2, 50, 1000])
def test_the_mean_distance_is_that_of_all_pairs(rows: int) -> None:
    x = unit(rows, 1, dimension=5)
    apart = [float(np.linalg.norm(x[i] - x[j])) for i in range(min(rows, 60)) for j in range(i)]
    if rows <= 60:
        assert diagnostics.mean_distance(x) == pytest.approx(np.mean(apart), abs=1e-5)
    else:
        assert diagnostics.mean_distance(x) == pytest.approx(np.mean(apart), abs=0.05)
    assert diagnostics.mean_distance(x[:1]) == 0


@pytest.mark.parametrize("name", ["triplet", "contrastive", "multi_similarity"])
def test_a_collapse_stops_at_once_and_says_what_was_seen(name: Loss) -> None:
    collapsed = replace(HEALTHY, distance=0.004, rank=1.2, loss=0.1)
    with pytest.raises(
        TrainingFailed, match=r"collapsed.*0\.004.*of 1\.140.*rank 1\.2.*0\.1000.*Lower"
    ):
        check([HEALTHY, collapsed], LossConfig(name=name), 1.14)


@pytest.mark.parametrize(
    ("start", "distance", "collapsed"),
    [(1.14, 0.113, True), (1.14, 0.115, False), (0.1, 0.021, False), (0.1, 0.019, True)],
)
def test_a_collapse_is_to_a_tenth_of_the_start(
    start: float, distance: float, collapsed: bool
) -> None:
    epochs = [HEALTHY, replace(HEALTHY, distance=distance)]
    if collapsed:
        with pytest.raises(TrainingFailed, match="collapsed"):
            check(epochs, start=start)
    else:
        check(epochs, start=start)


def test_a_loss_that_stays_at_the_margin_stops_after_three_epochs() -> None:
    stuck = history(0.1001, 0.0999, 0.1, active=1.0)
    check(stuck[:2])
    with pytest.raises(TrainingFailed, match=r"margin of 0\.1, for 3 .*0\.900.*Check the labels"):
        check(stuck)


def test_a_soft_margin_is_stuck_at_the_logarithm_of_two() -> None:
    soft = LossConfig(name="triplet", soft_margin=True)
    stuck = history(*[math.log(2) / SOFT_SCALE] * 3, active=1.0)
    with pytest.raises(TrainingFailed, match=r"at 0\.0347, what equal embeddings give"):
        check(stuck, soft)
    check(history(0.1, 0.1, 0.1, active=1.0), soft)
    check(history(0.0347, 0.031, 0.028, active=1.0), soft)


def test_near_the_margin_is_not_stuck_when_something_else_learns() -> None:
    at_margin = history(0.1, 0.1, 0.1, active=1.0)
    check([replace(e, active=0.9) for e in at_margin])
    check(at_margin, LossConfig(name="multi_similarity"))
    # Semi-hard negatives are about as far as the positive by their choice.
    semi_hard = LossConfig(name="triplet", mining="semi_hard")
    check(at_margin, semi_hard)
    check(at_margin, LossConfig(name="triplet", semi_hard_epochs=3))
    with pytest.raises(TrainingFailed):
        check([replace(e, distance=0.09) for e in at_margin], semi_hard, start=0.5)
    with pytest.raises(TrainingFailed):
        check(at_margin)


def test_a_healthy_run_goes_on() -> None:
    epochs: list[Epoch] = []
    for loss, recall in ((0.12, 0.58), (0.09, 0.66), (0.06, 0.71), (0.05, 0.74), (0.05, 0.74)):
        epochs += history(loss, recall=recall)
        check(epochs)
        check([replace(e, recall=None) for e in epochs])
