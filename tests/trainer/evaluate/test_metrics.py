"""Retrieval metrics against naive loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluate import metrics


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rows = draw(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=8))
    hits = np.array(rows, bool)
    relevant = [draw(st.integers(max(1, int(row.sum())), 12)) for row in hits]
    return hits, np.array(relevant)


@given(answers())
def test_figures_equal_naive_loops(given_answers: tuple[np.ndarray, np.ndarray]) -> None:
    hits, relevant = given_answers
    for k in (1, 5, 10):
        expected = [float(any(row[:k])) for row in hits]
        assert metrics.recall_at_k(hits, k).tolist() == expected
    precision, average = [], []
    for row, r in zip(hits, relevant, strict=True):
        precision.append(sum(row[:r]) / r)
        average.append(sum(sum(row[: i + 1]) / (i + 1) for i in range(r) if row[i]) / r)
    assert metrics.r_precision(hits, relevant) == pytest.approx(precision)
    assert metrics.map_at_r(hits, relevant) == pytest.approx(average)


def test_chunks_give_the_figures_of_the_whole() -> None:
    hits = np.random.default_rng(0).random((40, 10)) < 0.3
    relevant = np.full(40, 5)
    whole, parts = metrics.RetrievalFigures(), metrics.RetrievalFigures()
    whole.add(hits, relevant)
    for start in range(0, 40, 7):
        parts.add(hits[start : start + 7], relevant[start : start + 7])
    assert whole.means() == parts.means()
    assert (whole.queries, set(whole.means())) == (
        40,
        {"recall@1", "recall@5", "recall@10", "map@r", "r_precision"},
    )


def test_a_query_without_a_right_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="right answer"):
        metrics.r_precision(np.zeros((1, 3), bool), np.array([0]))
    with pytest.raises(ValueError, match="right answer"):
        metrics.map_at_r(np.zeros((1, 3), bool), np.array([4]))
