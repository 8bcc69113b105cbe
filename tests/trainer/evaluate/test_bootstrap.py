"""Bootstrap intervals against naive loops, and against what is known of their coverage."""

import numpy as np
import pytest

from trainer.evaluate import bootstrap


def naive_means(values: list[float], classes: list[str], seed: int, resamples: int) -> list[float]:
    """The same draws, by lists of queries."""
    names = sorted(set(classes))
    queries = {n: [v for v, c in zip(values, classes, strict=True) if c == n] for n in names}
    rng = np.random.default_rng(seed)
    means = []
    for drawn in rng.integers(0, len(names), (resamples, len(names))):
        seen = [value for number in drawn for value in queries[names[number]]]
        means.append(sum(seen) / len(seen))
    return means


def test_means_equal_a_naive_loop_over_whole_classes() -> None:
    rng = np.random.default_rng(3)
    classes = [f"c{number}" for number in rng.integers(0, 9, 50)]
    values = rng.random(50)
    expected = naive_means(values.tolist(), classes, 5, 200)
    assert bootstrap.resampled_means(values, classes, 5, 200) == pytest.approx(expected)


def test_chunks_of_draws_give_the_draws_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    values, classes = np.random.default_rng(0).random(40), [i // 4 for i in range(40)]
    whole = bootstrap.resampled_means(values, classes, 1, 100)
    monkeypatch.setattr(bootstrap, "_DRAWN", 70)
    assert bootstrap.resampled_means(values, classes, 1, 100) == pytest.approx(whole)


def test_the_interval_of_independent_queries_is_that_of_the_normal_distribution() -> None:
    values = (np.random.default_rng(0).random(2000) < 0.7).astype(float)
    found = bootstrap.interval(values, range(2000))
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.002
    )


def test_queries_that_go_together_widen_the_interval() -> None:
    """Ten copies of each query say no more than one: the width must not shrink by √10."""
    single = (np.random.default_rng(0).random(100) < 0.5).astype(float)
    copies, classes = np.repeat(single, 10), np.repeat(np.arange(100), 10)
    one, ten = bootstrap.interval(single, range(100)), bootstrap.interval(copies, classes)
    assert ten.high - ten.low == pytest.approx(one.high - one.low)


def test_one_class_alone_is_drawn_by_query() -> None:
    found = bootstrap.interval(np.array([0.0, 1.0] * 20), ["a"] * 40)
    assert found.low < 0.5 < found.high


def test_equal_seeds_give_equal_intervals() -> None:
    values, classes = np.random.default_rng(1).random(30), [i // 3 for i in range(30)]
    assert bootstrap.interval(values, classes) == bootstrap.interval(values, classes)
    assert bootstrap.interval(values, classes) != bootstrap.interval(values, classes, seed=1)


def test_a_paired_difference_is_found_where_separate_intervals_overlap() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(300)
    first, second = (hard > 0.5).astype(float), (hard > 0.45).astype(float)
    classes = [i // 2 for i in range(300)]
    found = bootstrap.difference(first, second, classes)
    assert bootstrap.interval(first, classes).high > bootstrap.interval(second, classes).low
    assert found.value == pytest.approx((second - first).mean())
    assert found.shown
    assert 0 < found.p_value < 0.05
    back = bootstrap.difference(second, first, classes)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )
    assert back.p_value == found.p_value


def test_no_difference_is_not_shown() -> None:
    same = np.random.default_rng(0).random(50)
    found = bootstrap.difference(same, same, range(50))
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert not found.shown


def test_p_values_of_equal_models_are_spread_evenly() -> None:
    """Under no difference at most about one in twenty may fall below 0.05."""
    below = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        first, second = (rng.random((2, 120)) < 0.6).astype(float)
        below += bootstrap.difference(first, second, [i // 2 for i in range(120)]).p_value < 0.05
    assert below <= 20


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="values with their classes"):
        bootstrap.interval(np.empty(0), [])
    with pytest.raises(ValueError, match="same queries"):
        bootstrap.difference(np.zeros(2), np.zeros(3), [0, 1])
