"""AdamW with warm-up and cosine decay, one for each part of the network, stepped together."""

from typing import Any

import keras

from trainer.config import OptimizerConfig

Tensor = Any

# AdamW's decoupled decay; nothing that was trained here got better with another.
_WEIGHT_DECAY = 1e-4


def make_optimizer(rate: float, steps: int, config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov & Hutter, arXiv:1711.05101) over ``steps`` steps, ``rate`` at its peak.

    The rate rises linearly over ``config.warmup`` of the steps, then falls as a cosine
    (arXiv:1608.03983) to a hundredth.
    """
    warm = int(steps * config.warmup)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm else rate,
        max(steps - warm, 1),
        alpha=0.01,
        warmup_target=rate if warm else None,
        warmup_steps=warm,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=_WEIGHT_DECAY)


class Parts:
    """Groups of variables, each with its optimiser: the backbone learns slower than the head."""

    def __init__(self, *parts: tuple[keras.optimizers.Optimizer, list[keras.Variable]]) -> None:
        self._parts = [(optimizer, variables) for optimizer, variables in parts if variables]
        for optimizer, variables in self._parts:
            optimizer.build(variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """Everything that is trained, in a fixed order."""
        return [variable for _, variables in self._parts for variable in variables]

    @property
    def state(self) -> list[keras.Variable]:
        """What the optimisers remember: needed to go on after an interruption."""
        return [variable for optimizer, _ in self._parts for variable in optimizer.variables]

    def apply(self, gradients: list[Tensor]) -> None:
        """Take one step; ``gradients`` in the order of ``variables``."""
        start = 0
        for optimizer, variables in self._parts:
            mine = gradients[start : start + len(variables)]
            optimizer.apply_gradients(zip(mine, variables, strict=True))
            start += len(variables)
