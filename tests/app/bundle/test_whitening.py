"""Partial whitening, against its definition."""

import numpy as np
import pytest

from app.bundle.whitening import fit_whitening


def stretched(count: int, width: int = 8) -> np.ndarray:
    """Vectors that vary most along the first number, least along the last, around a mean far away."""
    rng = np.random.default_rng(0)
    scales = np.geomspace(4, 0.1, width)
    return (rng.standard_normal((count, width)) * scales + 10).astype(np.float32)


def test_axes_come_in_order_of_their_deviation_each_divided_by_its_root() -> None:
    vectors = stretched(20_000)
    linear = fit_whitening(vectors, 4)
    mapped = vectors @ linear.matrix + linear.offset
    np.testing.assert_allclose(mapped.mean(axis=0), 0, atol=1e-3)
    # An axis of deviation σ divided by √σ has the deviation √σ.
    wanted = np.sqrt(np.geomspace(4, 0.1, 8)[:4])
    deviations = mapped.std(axis=0)
    np.testing.assert_allclose(deviations / deviations[0], wanted / wanted[0], rtol=0.02)
    assert np.abs(linear.matrix).argmax(axis=0).tolist() == [0, 1, 2, 3]


def test_whole_whitening_makes_all_deviations_equal_and_none_leaves_them() -> None:
    vectors = stretched(20_000)
    for power, spread in ((1.0, 1.0), (0.0, 40.0)):
        linear = fit_whitening(vectors, 8, power)
        deviations = (vectors @ linear.matrix).std(axis=0)
        assert deviations[0] / deviations[-1] == pytest.approx(spread, rel=0.05)


def test_the_same_vectors_give_the_same_map_whatever_their_order() -> None:
    vectors = stretched(300)
    one, other = fit_whitening(vectors, 8), fit_whitening(vectors[::-1].copy(), 8)
    np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-4)


def test_fewer_vectors_than_axes_still_give_every_axis() -> None:
    linear = fit_whitening(stretched(5, 64), 64)
    assert np.isfinite(linear.matrix).all() and np.isfinite(linear.offset).all()
    assert np.linalg.matrix_rank(linear.matrix) == 64


def test_equal_vectors_give_a_finite_map() -> None:
    linear = fit_whitening(np.ones((7, 4), np.float32), 4)
    assert np.isfinite(linear(np.eye(4, dtype=np.float32))).all()


@pytest.mark.parametrize(("count", "dimension"), [(1, 2), (0, 2), (5, 9), (5, 0)])
def test_what_gives_no_axes_is_refused(count: int, dimension: int) -> None:
    with pytest.raises(ValueError, match="axes"):
        fit_whitening(stretched(count), dimension)
