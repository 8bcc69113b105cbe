"""Two models side by side: figures, differences, and the sentence that says who is better."""

from pathlib import Path

import numpy as np
import pytest

from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from trainer.data.records import read_data
from trainer.errors import DataError
from trainer.evaluate.bootstrap import difference, interval
from trainer.evaluate.comparison import compare, intervals, p, points
from trainer.evaluate.measurement import Measurement
from trainer.evaluate.retrieval import measure_records


@pytest.fixture
def measured(tmp_path: Path) -> Measurement:
    return measure_records(FakeEncoder(), read_data(draw_classes(tmp_path / "data", 20, 3)))


def with_ranks(measured: Measurement, ranks: list[int]) -> Measurement:
    from dataclasses import replace

    return replace(measured, ranks=np.array(ranks))


def test_rows_hold_both_models_and_their_paired_difference(measured: Measurement) -> None:
    better = with_ranks(measured, [1] * len(measured))
    comparison = compare(measured, better, ("a", "b"))
    assert [row.figure for row in comparison.rows] == list(measured.per_query())
    first = comparison.rows[0]
    recall = measured.per_query()["recall@1"]
    assert first.first == interval(recall, measured.labels)
    assert first.difference == difference(recall, np.ones(60), measured.labels)
    assert intervals(measured)["recall@1"] == first.first


def test_the_better_one_is_named_whichever_comes_first(measured: Measurement) -> None:
    worse = with_ranks(measured, [1, 2, 2] * 20)
    better = with_ranks(measured, [1, 1, 2] * 20)
    one = compare(worse, better, ("a", "b")).conclusion()
    assert one == "b is better: +33.3 points recall@1, 95 % +33.3 … +33.3, p < 0.001."
    other = compare(better, worse, ("b", "a")).conclusion()
    assert other == "b is better: −33.3 points recall@1, 95 % −33.3 … −33.3, p < 0.001."


def test_no_difference_is_said_so(measured: Measurement) -> None:
    found = compare(measured, measured, ("a", "b"))
    assert found.conclusion().startswith("No difference shown between a and b: +0.0 points")
    assert found.as_json()["figures"]["recall@1"]["difference"] == {
        "value": 0.0,
        "low": 0.0,
        "high": 0.0,
        "p_value": 1.0,
    }


def test_only_queries_of_both_are_compared(measured: Measurement) -> None:
    found = compare(measured.select(range(40)), measured.select(range(30, 60)), ("a", "b"))
    assert found.as_json()["queries"] == 10
    with pytest.raises(DataError, match="no query in common"):
        compare(measured.select([0]), measured.select([1]), ("a", "b"))


def test_small_differences_keep_their_sign() -> None:
    assert (points(0.031), points(-0.012), points(0)) == ("+3.1", "−1.2", "+0.0")
    found = difference(np.zeros(40), np.tile([1.0, -0.9], 20), range(40))
    assert p(found) == f"p = {found.p_value:.3f}"
