"""A trained network → the files of a bundle: Keras, TensorFlow SavedModel, OpenVINO IR."""

import shutil
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import openvino as ov
import tensorflow as tf

Tensor = Any


def round_to_half(model: keras.Model) -> None:
    """Make every kernel exact in float16, so that all exported forms hold the same numbers.

    Vectors (scales, offsets, statistics) stay as they are: they are small, and their range is not.
    """
    for variable in model.weights:
        if len(variable.shape) > 1:
            value = np.asarray(variable.value)
            limit = np.finfo(np.float16).max
            variable.assign(value.clip(-limit, limit).astype(np.float16).astype(np.float32))


def export(model: keras.Model, folder: Path) -> None:
    """Write ``model.keras``, ``tensorflow/`` and ``openvino/`` below ``folder``.

    ``model`` takes uint8 [N, S, S, 3] and gives float32 [N, D]; call ``round_to_half`` first.
    """
    _save_keras(model, folder / "model.keras")
    _save_tensorflow(model, folder / "tensorflow")
    _save_openvino(folder / "tensorflow", folder / "openvino")


def _save_keras(model: keras.Model, path: Path) -> None:
    """Save it for further training. Keras stores its zip unpacked; numbers exact in float16 pack to half."""
    loose = path.with_name("loose.keras")
    model.save(loose)
    with (
        zipfile.ZipFile(loose) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in source.namelist():
            packed.writestr(name, source.read(name))
    loose.unlink()


class _Serving(tf.Module):  # type: ignore[misc]
    """The model with its kernels stored as float16 and computed in float32."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self._model = model
        self._trainable = [_stored(v) for v in model.trainable_variables]
        self._fixed = [_stored(v) for v in model.non_trainable_variables]

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        embeddings, _ = self._model.stateless_call(
            [_widened(v) for v in self._trainable],
            [_widened(v) for v in self._fixed],
            images,
            training=False,
        )
        return {"embeddings": embeddings}


def _stored(variable: keras.Variable) -> tf.Variable:
    value = np.asarray(variable.value)
    return tf.Variable(value.astype(np.float16) if value.ndim > 1 else value, trainable=False)


def _widened(variable: tf.Variable) -> Tensor:
    return tf.cast(variable, tf.float32) if variable.dtype == tf.float16 else tf.identity(variable)


def _save_tensorflow(model: keras.Model, folder: Path) -> None:
    serving = _Serving(model)
    size = model.input_shape[1]
    images = tf.TensorSpec((None, size, size, 3), tf.uint8, name="images")
    signature = tf.function(serving.embed).get_concrete_function(images)
    # The Keras model hangs on the module; saved along, it would be stored a second time.
    plain = tf.Module()
    plain.weights = serving._trainable + serving._fixed
    tf.saved_model.save(plain, str(folder), signatures={"serving_default": signature})
    # A bundle lists files and their hashes; an empty folder would not be listed.
    shutil.rmtree(folder / "assets", ignore_errors=True)


def _save_openvino(saved_model: Path, folder: Path) -> None:
    graph = ov.convert_model(str(saved_model))
    # It would name a folder of this machine, and give the same model another id each time.
    graph.set_rt_info("tensorflow", ["conversion_parameters", "input_model"])
    folder.mkdir()
    ov.save_model(graph, folder / "model.xml", compress_to_fp16=True)
