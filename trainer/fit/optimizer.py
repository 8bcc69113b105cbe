"""AdamW with warm-up and cosine decay."""

import keras

from trainer.config import OptimizerConfig

# AdamW's decoupled decay; nothing that was trained here got better with another.
_WEIGHT_DECAY = 1e-4


def make_optimizer(config: OptimizerConfig, steps: int) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov & Hutter, arXiv:1711.05101) over ``steps`` steps.

    The rate rises linearly over ``config.warmup`` of the steps, then falls as a cosine
    (arXiv:1608.03983) to a hundredth.
    """
    rate = config.learning_rate
    warm = int(steps * config.warmup)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm else rate,
        max(steps - warm, 1),
        alpha=0.01,
        warmup_target=rate if warm else None,
        warmup_steps=warm,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=_WEIGHT_DECAY)
