"""A Keras model behind the Encoder protocol: for models that are not published."""

import hashlib

import keras
import numpy as np

from app.bundle.encoder import Vectors, check_images
from app.images.prepare import Pixels
from app.images.square import Resize

_BATCH = 64


class KerasEncoder:
    """Takes uint8 [N, S, S, 3] like the published models; embeddings are the model's output."""

    resize: Resize = "stretch"

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self.input_size = int(model.input_shape[1])
        self.dimension = int(model.output_shape[1])
        self.model_id = hashlib.sha256(model.name.encode()).hexdigest()

    def embed(self, images: Pixels) -> Vectors:
        check_images(images, self.input_size)
        if not len(images):
            return np.empty((0, self.dimension), np.float32)
        # One shape for every batch: TensorFlow compiles the graph anew for each other one.
        batches = []
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            padded = np.zeros((_BATCH, *batch.shape[1:]), np.uint8)
            padded[: len(batch)] = batch
            batches.append(np.asarray(self._model.predict_on_batch(padded))[: len(batch)])
        vectors: Vectors = np.concatenate(batches).astype(np.float32)
        return vectors
