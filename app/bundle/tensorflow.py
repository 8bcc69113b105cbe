"""TensorFlow: the optional runtime, for machines with a GPU. Serves the bundle's SavedModel."""

import numpy as np

from app.bundle.encoder import BundleEncoder, Vectors, graph_path
from app.bundle.model_store import Bundle
from app.errors import RuntimeUnavailable
from app.images.prepare import Pixels


class TensorFlowEncoder(BundleEncoder):
    """Runs a bundle's exported SavedModel; never loads a ``.keras`` file."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle.manifest)
        try:
            import tensorflow as tf
        except ImportError as exc:
            raise RuntimeUnavailable(
                "tensorflow", "TensorFlow is not installed; run `make setup-train`"
            ) from exc
        try:
            self._graph = tf.saved_model.load(str(graph_path(bundle, "tensorflow")))
        except (OSError, ValueError) as exc:
            raise RuntimeUnavailable("tensorflow", str(exc).splitlines()[0]) from exc
        self._signature = self._graph.signatures["serving_default"]
        self._constant = tf.constant

    def _run(self, images: Pixels) -> Vectors:
        output = self._signature(images=self._constant(images))
        return np.asarray(output["embeddings"], np.float32)
