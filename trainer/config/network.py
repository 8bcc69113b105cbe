"""``[network]``: the backbone, the head, and the shape of the embedding."""

from typing import Literal

from pydantic import Field

from trainer.config.section import Section

Backbone = Literal[
    "efficientnet_lite0",
    "efficientnet_lite2",
    "efficientnet_b0",
    "efficientnet_v2_b0",
    "mobilenet_v3_large",
    "resnet50",
    "vgg16",
]


class NetworkConfig(Section):
    """The network that is trained and published."""

    backbone: Backbone = Field("efficientnet_lite0", description="Pretrained network underneath.")
    weights: str | None = Field(
        None,
        description="Weights file for a keras.applications backbone, instead of a download.",
    )
    dimension: int = Field(512, ge=2, le=4096, description="Length of an embedding.")
    input_size: int = Field(192, ge=32, le=1024, description="Side of the input in pixels.")
    frozen_stages: int = Field(
        2, ge=0, description="First stages of the backbone that stay as they are."
    )

    @property
    def train_size(self) -> int:
        """Side of the crops that the network is fine-tuned on: two thirds, in less than half the time.

        Trained on crops, a network sees things larger than they are in whole pictures, so that a larger
        input serves better: Touvron et al., "Fixing the train-test resolution discrepancy",
        arXiv:1906.06423.
        """
        return max(32, self.input_size * 2 // 3)
