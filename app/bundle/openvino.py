"""OpenVINO: the default runtime, made for inference on CPUs."""

import threading

import numpy as np
import openvino as ov

from app.bundle.encoder import Precision, Vectors, check_embeddings, check_images, graph_path
from app.bundle.model_store import Bundle
from app.errors import RuntimeUnavailable
from app.images.prepare import Pixels


class OpenVinoEncoder:
    """Runs a bundle's OpenVINO IR on the CPU."""

    def __init__(
        self, bundle: Bundle, *, precision: Precision = "float32", threads: int = 0
    ) -> None:
        self._manifest = bundle.manifest
        # float32 by default: bfloat16 is faster where the CPU has it, but moves embeddings a little,
        # so a gallery would depend on the machine that embedded it.
        config = {
            "INFERENCE_PRECISION_HINT": "f32" if precision == "float32" else "bf16",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        try:
            core = ov.Core()
            model = core.read_model(graph_path(bundle, "openvino"))
            self._request = core.compile_model(model, "CPU", config).create_infer_request()
        except RuntimeError as exc:
            raise RuntimeUnavailable("openvino", str(exc).strip().splitlines()[-1]) from exc
        # One request holds one set of buffers; callers take turns, and a batch fills the cores.
        self._lock = threading.Lock()

    @property
    def dimension(self) -> int:
        return self._manifest.dimension

    @property
    def input_size(self) -> int:
        return self._manifest.input_size

    @property
    def model_id(self) -> str:
        return self._manifest.model_id

    def embed(self, images: Pixels) -> Vectors:
        check_images(images, self.input_size)
        if len(images) == 0:
            return np.empty((0, self.dimension), np.float32)
        try:
            with self._lock:
                output = self._request.infer([np.ascontiguousarray(images)])
                vectors = np.array(next(iter(output.values())), np.float32)
        except RuntimeError as exc:
            raise RuntimeUnavailable("openvino", str(exc).strip().splitlines()[-1]) from exc
        return check_embeddings(vectors, len(images), self._manifest)
