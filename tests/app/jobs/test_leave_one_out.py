"""Leave-one-out retrieval, against a naive loop."""

import numpy as np
import pytest

from app.jobs.leave_one_out import clearly_less, leave_one_out, some_classes


def clusters(classes: int, each: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((classes, 6))
    vectors = np.repeat(middles, each, axis=0) + spread * rng.standard_normal((classes * each, 6))
    labels = np.repeat([f"kind {i}" for i in range(classes)], each)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32), labels


def test_figures_are_those_of_a_naive_loop() -> None:
    vectors, labels = clusters(6, 5, 0.8)
    vectors, labels = vectors[:-2], labels[:-2]
    found = leave_one_out(vectors, labels)
    for place in range(len(labels)):
        others = [i for i in range(len(labels)) if i != place]
        others.sort(key=lambda i: float(np.linalg.norm(vectors[i] - vectors[place])))
        hits = [labels[i] == labels[place] for i in others]
        right = sum(hits)
        precision = [hits[i] * sum(hits[: i + 1]) / (i + 1) for i in range(right)]
        assert found.recall_at_1[place] == hits[0]
        assert found.map_at_r[place] == pytest.approx(sum(precision) / right)
    assert found.means() == {
        "recall@1": round(float(found.recall_at_1.mean()), 4),
        "map@r": round(float(found.map_at_r.mean()), 4),
    }


def test_a_class_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="one image"):
        leave_one_out(np.eye(3, dtype=np.float32), np.array(["a", "a", "b"]))


def test_whole_classes_are_drawn_and_what_has_no_like_or_no_label_is_left_out() -> None:
    labels = np.array(["a", "b", "a", "", "c", "", "b", "b", "d"])
    rng = np.random.default_rng(0)
    assert some_classes(labels, 100, rng).tolist() == [0, 1, 2, 6, 7]
    for _ in range(10):
        drawn = some_classes(labels, 3, rng)
        assert len(drawn) in (2, 3)
        assert len(set(labels[drawn])) == 1
    assert some_classes(np.array(["a"] * 9), 4, rng).shape == (4,)
    assert some_classes(np.array(["a", "", ""]), 4, rng).tolist() == []
    assert some_classes(np.array([], np.str_), 4, rng).tolist() == []


def test_less_is_clear_when_most_classes_lose_and_not_when_one_does() -> None:
    labels = np.repeat([f"{i}" for i in range(20)], 4)
    before = np.full(80, 0.6)
    noise = np.repeat(np.random.default_rng(0).normal(0, 0.02, 20), 4)
    assert clearly_less(before, before - 0.05 + noise, labels)
    assert not clearly_less(before, before + 0.05 + noise, labels)
    assert not clearly_less(before, before.copy(), labels)
    one = before.copy()
    one[:4] = 0
    assert not clearly_less(before, one, labels)
    assert not clearly_less(before[:4], one[:4], labels[:4]), "a single class shows nothing"
