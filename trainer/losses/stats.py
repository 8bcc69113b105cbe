"""The result of every loss, and means over masks."""

from typing import Any, NamedTuple

from keras import ops

Tensor = Any


class LossStats(NamedTuple):
    """``loss`` is a float32 scalar; ``active``, 0–1, the part of the terms that still teach.

    Each loss says which terms it counts: anchors, pairs or triplets.
    """

    loss: Tensor
    active: Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``values`` where the bool ``mask`` of the same shape holds; 0 where it holds nowhere.

    A bool ``values`` gives the part that is true.
    """
    chosen = ops.where(mask, ops.cast(values, "float32"), 0.0)
    count = ops.sum(ops.cast(mask, "float32"))
    return ops.sum(chosen) / ops.maximum(count, 1.0)


def masked_log_one_plus_sum(exponents: Tensor, mask: Tensor, axis: int) -> Tensor:
    """Return log(1 + Σ exp(exponents)) along ``axis`` over what the mask holds; 0 where it holds nothing.

    Taken with the largest exponent aside, so that nothing overflows.
    """
    # The gradient of what is left out is then exactly 0.
    chosen = ops.where(mask, exponents, -1e9)
    largest = ops.stop_gradient(ops.maximum(ops.max(chosen, axis=axis, keepdims=True), 0.0))
    total = ops.sum(ops.exp(chosen - largest), axis=axis) + ops.exp(-ops.squeeze(largest, axis))
    return ops.log(total) + ops.squeeze(largest, axis)
