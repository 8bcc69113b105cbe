"""Generalised-mean pooling: between the average (p = 1) and the maximum (p → ∞), learnt.

Radenović et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", arXiv:1711.02512.
"""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="gemello")
class GeneralizedMeanPooling2D(keras.layers.Layer):  # type: ignore[misc]
    """[N, H, W, C] → [N, C]: (mean(x^p))^(1/p) for x clipped to at least ``epsilon``."""

    def __init__(self, p: float = 3.0, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.initial_p, self.epsilon = p, epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.p = self.add_weight(
            name="p", shape=(), initializer=keras.initializers.Constant(self.initial_p)
        )
        super().build(input_shape)

    def call(self, x: Any) -> Any:
        powered = keras.ops.power(keras.ops.maximum(x, self.epsilon), self.p)
        return keras.ops.power(keras.ops.mean(powered, axis=(1, 2)), 1 / self.p)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "p": self.initial_p, "epsilon": self.epsilon}
