"""A linear map of embeddings, how it becomes the end of a model's graph, and its file."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from app.errors import ModelCorrupt

Floats = npt.NDArray[np.float32]

# Added to a squared length before its root, so that a vector of zeros stays one.
_EPSILON = 1e-24


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """``x`` → ``x · matrix + offset``, at unit length; ``matrix`` float32 [F, D], ``offset`` float32 [D]."""

    matrix: Floats
    offset: Floats

    def __call__(self, vectors: Floats) -> Floats:
        """Map float32 [N, F] to unit float32 [N, D]; a vector that is mapped to zero stays zero."""
        mapped = vectors @ self.matrix + self.offset
        lengths = np.sqrt(np.square(mapped).sum(axis=1, keepdims=True) + np.float32(_EPSILON))
        return np.asarray(mapped / lengths, np.float32)


def append(graph: ov.Model, linear: LinearMap) -> ov.Model:
    """Return ``graph``, whose one output is float32 [N, F], with ``linear`` at its end: float32 [N, D]."""
    x = ops.matmul(graph.output(0).get_node().input_value(0), linear.matrix, False, False)
    x = ops.add(x, linear.offset[None])
    unit = ops.normalize_l2(x, np.array([1], np.int64), _EPSILON, "add")
    # Whatever names the output had, callers take the first one.
    return ov.Model([unit], graph.get_parameters(), graph.get_friendly_name())


def write_map(path: Path, linear: LinearMap) -> None:
    """Write a map to a file that ``read_map`` reads."""
    with path.open("wb") as stream:
        np.savez(stream, matrix=linear.matrix, offset=linear.offset)


def read_map(path: Path) -> LinearMap:
    """Read a map's file. Raises ``ModelCorrupt`` when it is missing or holds something else."""
    try:
        with path.open("rb") as stream, np.load(stream) as arrays:
            matrix, offset = arrays["matrix"], arrays["offset"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as exc:
        raise ModelCorrupt(str(path), "it is not a linear map") from exc
    fits = matrix.ndim == 2 and offset.shape == matrix.shape[1:]
    if not fits or matrix.dtype != np.float32 or offset.dtype != np.float32:
        raise ModelCorrupt(str(path), "it is not a linear map")
    return LinearMap(matrix, offset)
