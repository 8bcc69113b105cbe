"""``[publish]``: how the published network differs from the trained one."""

from pydantic import Field

from trainer.config.section import Section


class PublishConfig(Section):
    """Options that take effect after training."""

    serving_size: int | None = Field(
        None,
        ge=32,
        le=1024,
        description="Side of the published model's input, where it differs from training's.",
    )
    serving_keep_unlike: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The published model's `network.keep_unlike`, where it differs from training's.",
    )
    blend: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the trained weights in the published backbone; the rest is pretrained.",
    )
