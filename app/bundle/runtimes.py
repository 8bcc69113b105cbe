"""The choice of what runs a model: OpenVINO on CPUs, TensorFlow on GPUs."""

from app.bundle.encoder import Encoder, Precision, Runtime
from app.bundle.model_store import Bundle
from app.bundle.openvino import OpenVinoEncoder


def load_encoder(
    bundle: Bundle,
    runtime: Runtime = "openvino",
    *,
    precision: Precision = "float32",
    threads: int = 0,
) -> Encoder:
    """Load a bundle's serving graph. ``threads`` 0 means as many as there are cores.

    Raises ``RuntimeUnavailable`` when the runtime is not installed or refuses the graph.
    """
    if runtime == "tensorflow":
        # TensorFlow takes seconds to import and is an optional extra.
        from app.bundle.tensorflow import TensorFlowEncoder

        return TensorFlowEncoder(bundle)
    return OpenVinoEncoder(bundle, precision=precision, threads=threads)
