"""TensorFlow: the optional runtime, for machines with a GPU. Serves the bundle's SavedModel."""

import numpy as np

from app.bundle.encoder import Vectors, check_embeddings, check_images, graph_path
from app.bundle.model_store import Bundle
from app.errors import RuntimeUnavailable
from app.images.prepare import Pixels


class TensorFlowEncoder:
    """Runs a bundle's exported SavedModel; never loads a ``.keras`` file."""

    def __init__(self, bundle: Bundle) -> None:
        self._manifest = bundle.manifest
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
        self._embed = self._graph.signatures["serving_default"]
        self._constant = tf.constant

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
        output = self._embed(images=self._constant(images))
        vectors = np.asarray(output["embeddings"], np.float32)
        return check_embeddings(vectors, len(images), self._manifest)
