"""The distance to the nearest image of another class."""

import numpy as np
import pytest

from app.bundle.margins import codes_of, margins, margins_to


def test_margins_of_points_on_a_line() -> None:
    vectors = np.array([[0.0], [1.0], [3.0], [7.0]], np.float32)
    room = margins(vectors, codes_of(["a", "a", "b", "c"]))
    assert room.nearest.tolist() == [3, 2, 2, 4]
    assert room.rival.tolist() == [1, 1, 0, 1]
    assert room.next_nearest.tolist() == [7, 6, 4, 6]
    # A query of class b sees no b; one of class a no a.
    assert room.without(np.array([1, 0])).tolist() == [[7, 6, 2, 6], [3, 2, 4, 4]]


def test_margins_to_other_images() -> None:
    known = np.array([[0.0], [5.0]], np.float32)
    found = margins_to(np.array([[1.0], [1.0]], np.float32), [0, -1], known, np.array([0, 1]))
    assert found == pytest.approx([4, 1])


def test_without_another_class_there_is_no_end_of_room() -> None:
    room = margins(np.zeros((3, 2), np.float32), codes_of(["a"] * 3))
    assert np.isinf(room.nearest).all()
    assert (margins(np.zeros((2, 2), np.float32), codes_of("ab")).nearest == 1e-6).all()
