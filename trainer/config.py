"""Every knob of a training run, typed, with its default and its reason."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainer.errors import ConfigError

Backbone = Literal[
    "efficientnet_lite0",
    "efficientnet_b0",
    "efficientnet_v2_b0",
    "mobilenet_v3_large",
    "resnet50",
    "vgg16",
]
Mining = Literal["semi_hard", "batch_hard"]


class TrainConfig(BaseModel):
    """One run's configuration; it is written whole into the model's manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: Backbone = Field("efficientnet_lite0", description="Pretrained network underneath.")
    weights: str | None = Field(
        None,
        description="Weights file for a keras.applications backbone, instead of a download.",
    )
    pooling: Literal["avg", "gem"] = Field("avg", description="How the feature map is pooled.")
    dimension: int = Field(256, ge=2, le=4096, description="Length of an embedding.")
    input_size: int = Field(128, ge=32, le=1024, description="Side of the input in pixels.")
    classes_per_batch: int = Field(32, ge=2, description="P: classes in a batch.")
    images_per_class: int = Field(3, ge=2, description="K: images of each class in a batch.")
    head_epochs: int = Field(5, ge=0, description="Epochs of the head alone, on frozen features.")
    epochs: int = Field(16, ge=0, description="Epochs of fine-tuning the whole network.")
    mining: Mining = Field("batch_hard", description="Which negatives of the batch are used.")
    semi_hard_epochs: int = Field(
        1,
        ge=0,
        description="Fine-tuning epochs with semi-hard negatives before `mining` takes over.",
    )
    margin: float = Field(0.1, gt=0, lt=2, description="Triplet margin, on unit vectors.")
    learning_rate: float = Field(3e-4, gt=0, description="Peak rate of the backbone.")
    head_learning_rate: float = Field(3e-3, gt=0, description="Peak rate of the head.")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's decoupled weight decay.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Part of the steps that warm up.")
    crop_area: float = Field(
        0.5, gt=0, le=1, description="Least part of the picture that a random crop keeps."
    )
    flip: bool = Field(
        False, description="Mirror at random; only where labels do not depend on it."
    )
    brightness: float = Field(0.3, ge=0, lt=1, description="Largest change of brightness.")
    contrast: float = Field(0.3, ge=0, lt=1, description="Largest change of contrast.")
    saturation: float = Field(0.5, ge=0, lt=1, description="Largest change of saturation.")
    hue: float = Field(0.1, ge=0, le=0.5, description="Largest turn of the hue, in turns.")
    grey: float = Field(0.1, ge=0, le=1, description="Part of the images made grey.")
    validation_fraction: float = Field(0.1, ge=0, lt=1, description="Classes kept to validate.")
    test_fraction: float = Field(0.1, ge=0, lt=1, description="Classes kept to test.")
    seed: int = Field(0, ge=0, description="Seed of every random choice.")

    @model_validator(mode="after")
    def _possible(self) -> "TrainConfig":
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave no class to train on")
        if self.head_epochs + self.epochs == 0:
            raise ValueError("head_epochs and epochs are both 0, so nothing would be trained")
        return self

    @property
    def batch_size(self) -> int:
        return self.classes_per_batch * self.images_per_class

    @property
    def cache_size(self) -> int:
        """Side of cached training images: a quarter larger, so that crops keep their detail."""
        return self.input_size * 5 // 4


def read_config(values: Mapping[str, object]) -> TrainConfig:
    """Check ``values``, text from a command line included. Raises ``ConfigError`` in a sentence."""
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as exc:
        problem = exc.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{name}: {message}." if name else f"{message}.") from exc
