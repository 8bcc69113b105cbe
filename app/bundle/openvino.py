"""OpenVINO: the default runtime, made for inference on CPUs."""

import threading
from functools import cache

import numpy as np
import openvino as ov

from app.bundle.encoder import BundleEncoder, Precision, Vectors, graph_path
from app.bundle.model_store import Bundle
from app.errors import RuntimeUnavailable
from app.images.prepare import Pixels


@cache
def _core() -> ov.Core:
    """The only one of this process, so that what it loads to run models stays loaded.

    On Linux that gives the thread that loads it another stack for signal handlers, and frees the stack together with its
    last model, in whichever thread that happens: the next SIGTERM was a segmentation fault.
    """
    return ov.Core()


class OpenVinoEncoder(BundleEncoder):
    """Runs a bundle's OpenVINO IR on the CPU."""

    def __init__(
        self, bundle: Bundle, *, precision: Precision = "float32", threads: int = 0
    ) -> None:
        super().__init__(bundle.manifest)
        # float32 by default: bfloat16 is faster where the CPU has it, but moves embeddings a little,
        # so a gallery would depend on the machine that embedded it.
        config = {
            "INFERENCE_PRECISION_HINT": "f32" if precision == "float32" else "bf16",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        try:
            model = _core().read_model(graph_path(bundle, "openvino"))
            # A graph of another maker may take one image and no more.
            self._single = model.input(0).get_partial_shape()[0].is_static
            self._request = _core().compile_model(model, "CPU", config).create_infer_request()
        except RuntimeError as exc:
            raise RuntimeUnavailable("openvino", str(exc).strip().splitlines()[-1]) from exc
        # One request holds one set of buffers; callers take turns, and a batch fills the cores.
        self._lock = threading.Lock()

    def _run(self, images: Pixels) -> Vectors:
        try:
            if self._single:
                return np.concatenate([self._infer(image[None]) for image in images])
            return self._infer(images)
        except RuntimeError as exc:
            raise RuntimeUnavailable("openvino", str(exc).strip().splitlines()[-1]) from exc

    def _infer(self, images: Pixels) -> Vectors:
        with self._lock:
            output = self._request.infer([np.ascontiguousarray(images)])
            return np.array(next(iter(output.values())), np.float32)
