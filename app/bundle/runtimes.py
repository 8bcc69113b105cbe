"""The choice of what runs a model: OpenVINO on CPUs, TensorFlow on GPUs."""

from typing import get_args

import numpy as np

from app.bundle.encoder import Encoder, Precision, Runtime, graph_path
from app.bundle.model_store import MANIFEST, Bundle
from app.bundle.openvino import OpenVinoEncoder
from app.errors import ModelCorrupt, RuntimeUnavailable


def load_encoder(
    bundle: Bundle,
    runtime: Runtime = "openvino",
    *,
    precision: Precision = "float32",
    threads: int = 0,
) -> Encoder:
    """Load a bundle's serving graph. ``threads`` 0 means as many as there are cores.

    Raises ``RuntimeUnavailable`` when the runtime is not installed, has no graph in the bundle or
    refuses it.
    """
    if not graph_path(bundle, runtime).exists():
        others = [known for known in get_args(Runtime) if graph_path(bundle, known).exists()]
        instead = f"; serve it with GEMELLO_RUNTIME={others[0]}" if others else ""
        raise RuntimeUnavailable(runtime, f"{bundle.title} has no graph for it{instead}")
    if runtime == "tensorflow":
        # TensorFlow takes seconds to import and is an optional extra.
        from app.bundle.tensorflow import TensorFlowEncoder

        return TensorFlowEncoder(bundle)
    return OpenVinoEncoder(bundle, precision=precision, threads=threads)


def check_fit(bundle: Bundle, encoder: Encoder) -> None:
    """Hold the manifest to what the graph gives. Raises ``ModelCorrupt``, or ``RuntimeUnavailable``."""
    size = encoder.input_size
    try:
        encoder.embed(np.zeros((1, size, size, 3), np.uint8))
    except ValueError as exc:
        raise ModelCorrupt(str(bundle.path / MANIFEST), f"it does not fit: {exc}") from exc
