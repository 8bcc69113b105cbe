"""``[network]``: the backbone, the head, and the shape of the embedding."""

from typing import Literal

from pydantic import Field, model_validator

from trainer.config.section import Section

Backbone = Literal[
    "efficientnet_lite0",
    "efficientnet_b0",
    "efficientnet_v2_b0",
    "mobilenet_v3_large",
    "resnet50",
    "vgg16",
]


class NetworkConfig(Section):
    """The network that is trained; ``[publish]`` says how the published one differs."""

    backbone: Backbone = Field("efficientnet_lite0", description="Pretrained network underneath.")
    weights: str | None = Field(
        None,
        description="Weights file for a keras.applications backbone, instead of a download.",
    )
    head: Literal["linear", "dense"] = Field(
        "linear",
        description="Layers above the pooled features: `linear` starts as their principal axes, "
        "`dense` is the tutorials' 512-256-D stack, drawn at random.",
    )
    dimension: int = Field(256, ge=2, le=4096, description="Length of an embedding.")
    input_size: int = Field(128, ge=32, le=1024, description="Side of the input in pixels.")
    frozen_stages: int = Field(
        0, ge=-1, description="Stages of the backbone that stay as they are; -1 freezes all."
    )
    keep: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the squared distance left to the pretrained features, published beside.",
    )
    keep_unlike: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="That share for pictures unlike those trained on, from `keep` for those alike.",
    )
    keep_dimension: int = Field(
        256, ge=2, le=4096, description="Numbers of an embedding that hold those features."
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> "NetworkConfig":
        if self.keep_unlike is not None and not 0 < self.keep <= self.keep_unlike:
            raise ValueError(
                "keep_unlike is a share like keep, which must be above 0 and no larger"
            )
        return self

    @property
    def embedding_dimension(self) -> int:
        """Length of an embedding with the pretrained features beside the trained ones."""
        return self.dimension + (self.keep_dimension if self.keep else 0)

    @property
    def cache_size(self) -> int:
        """Side of cached training images: a quarter larger, so that crops keep their detail."""
        return self.input_size * 5 // 4
