"""OpenVINO graphs, run in float32: some CPUs compute in bfloat16 unless they are told."""

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov


def run(graph: ov.Model, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the first output of ``graph``."""
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(inputs)[0], np.float32)
