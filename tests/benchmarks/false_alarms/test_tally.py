"""Trials and what is counted over them."""

import numpy as np
import pytest

from app.bundle.margins import distances
from app.gallery.calibration import judge
from app.gallery.sample import Sample
from benchmarks.false_alarms.images import Images, Kind
from benchmarks.false_alarms.tally import Tally, interval, reach
from benchmarks.false_alarms.trials import trials
from tests.support.tiny_model import CALIBRATION, REACH


def drawn(classes: int, name: str, seed: int) -> Images:
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(classes, 16)), 6, axis=0)
    vectors = centres + 0.4 * rng.normal(size=centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.repeat([f"{name}/{i}" for i in range(classes)], 6)
    return Images(vectors.astype(np.float32), labels, np.arange(len(labels)).astype(str))


def test_no_stranger_has_a_match_and_every_query_has_one() -> None:
    kind, fill = Kind("things", drawn(60, "a", 0), None), drawn(20, "b", 1)
    found = list(trials(kind, fill, 150, 2, np.random.default_rng(0)))
    assert [trial.own for trial in found] == [90, 90], "three of six are asked for"
    for trial in found:
        assert len(set(trial.gallery.labels)) <= 30 + 20
        assert set(trial.queries.labels) <= set(trial.gallery.labels)
        assert len(trial.strangers) == 180
    assert list(trials(kind, fill, 1000, 2, np.random.default_rng(0))) == []


def test_labels_hold_the_rate() -> None:
    kind, fill = Kind("things", drawn(200, "a", 0), None), drawn(5, "b", 1)
    labelled, plain = Tally("things", True, None), Tally("things", False, None)
    for trial in trials(kind, fill, 250, 3, np.random.default_rng(0)):
        alone = distances(trial.strangers, trial.gallery.vectors)
        found = distances(trial.queries.vectors, trial.gallery.vectors)
        labelled.add(trial, alone, found)
        plain.add(trial, alone, found)
    row, cautious = labelled.row(), plain.row()
    assert row is not None
    assert cautious is not None
    assert row.low <= row.false_alarms <= row.high
    assert 0.01 < row.false_alarms < 0.09
    assert cautious.kept < row.kept
    assert 0 < row.score_error < 0.05
    assert np.isnan(cautious.score_error)
    assert Tally("things", True, None).row() is None


def test_the_reach_is_where_matches_end() -> None:
    assert reach(judge(Sample(), CALIBRATION, 100)) == pytest.approx(REACH)


def test_the_interval_is_wilsons() -> None:
    assert interval(5, 100) == pytest.approx((0.0215, 0.1118), abs=1e-4)
    assert interval(0, 10)[0] == 0
