"""Linear maps in NumPy, and the same at the end of a graph."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from app.bundle.linear_map import LinearMap, append, read_map, write_map
from app.errors import ModelCorrupt
from tests.support import graphs


def a_map(width: int, dimension: int) -> LinearMap:
    rng = np.random.default_rng(0)
    return LinearMap(
        rng.standard_normal((width, dimension)).astype(np.float32),
        rng.standard_normal(dimension).astype(np.float32),
    )


def doubling(width: int) -> ov.Model:
    """A graph of any number of vectors, whose output is twice its input."""
    x = ops.parameter([-1, width], np.float32, name="x")
    return ov.Model([ops.multiply(x, np.float32(2))], [x], "doubling")


def test_a_map_is_matrix_offset_and_unit_length() -> None:
    linear = a_map(5, 3)
    vectors = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
    for vector, mapped in zip(vectors, linear(vectors), strict=True):
        expected = np.array([vector @ column for column in linear.matrix.T]) + linear.offset
        np.testing.assert_allclose(mapped, expected / np.linalg.norm(expected), rtol=1e-5)


def test_a_vector_that_is_mapped_to_zero_stays_finite() -> None:
    nothing = LinearMap(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))
    assert nothing(np.ones((1, 2), np.float32)).tolist() == [[0.0, 0.0]]


def test_a_graph_with_a_map_at_its_end_gives_the_mapped_vectors() -> None:
    linear = a_map(6, 4)
    vectors = np.random.default_rng(2).standard_normal((3, 6)).astype(np.float32)
    mapped = graphs.run(append(doubling(6), linear), vectors)
    np.testing.assert_allclose(mapped, linear(2 * vectors), atol=1e-6)


def test_maps_can_follow_each_other() -> None:
    first, second = a_map(6, 4), a_map(4, 2)
    vectors = np.random.default_rng(3).standard_normal((2, 6)).astype(np.float32)
    mapped = graphs.run(append(append(doubling(6), first), second), vectors)
    np.testing.assert_allclose(mapped, second(first(2 * vectors)), atol=1e-6)


def test_a_map_is_read_as_it_was_written(tmp_path: Path) -> None:
    linear = a_map(6, 4)
    write_map(tmp_path / "map.npz", linear)
    again = read_map(tmp_path / "map.npz")
    np.testing.assert_array_equal(again.matrix, linear.matrix)
    np.testing.assert_array_equal(again.offset, linear.offset)


def test_what_is_no_map_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    with pytest.raises(ModelCorrupt, match=r"map\.npz"):
        read_map(path)
    for content in (b"", b"PK\x03\x04 not a zip archive"):
        path.write_bytes(content)
        with pytest.raises(ModelCorrupt, match="not a linear map"):
            read_map(path)
    np.savez(path, matrix=np.eye(3, dtype=np.float32))
    with pytest.raises(ModelCorrupt, match="not a linear map"):
        read_map(path)
    write_map(path, LinearMap(np.eye(3, dtype=np.float32), np.zeros(2, np.float32)))
    with pytest.raises(ModelCorrupt, match="not a linear map"):
        read_map(path)
