"""``[optimizer]``: learning rates, their schedule, and how weights are averaged."""

from pydantic import Field

from trainer.config.section import Section


class OptimizerConfig(Section):
    """AdamW's options."""

    learning_rate: float = Field(5e-4, gt=0, description="Peak rate.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps that warm up.")
    ema: float = Field(
        0.99, ge=0, lt=1, description="Decay of the moving average of weights; 0 is off."
    )
    mixed_precision: bool = Field(
        False, description="Compute in bfloat16: faster on GPUs and CPUs made for it."
    )
