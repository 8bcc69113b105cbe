"""Every knob of a training run, typed, with its default and its reason."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
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
Loss = Literal["triplet", "contrastive", "multi_similarity", "proxy_anchor", "fixed_triplets"]
Mining = Literal["all", "semi_hard", "batch_hard", "distance_weighted"]


class TrainConfig(BaseModel):
    """One run's configuration; it is written whole into the model's manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: Backbone = Field("efficientnet_lite0", description="Pretrained network underneath.")
    weights: str | None = Field(
        None,
        description="Weights file for a keras.applications backbone, instead of a download.",
    )
    pooling: Literal["avg", "gem"] = Field("avg", description="How the feature map is pooled.")
    head: Literal["linear", "dense"] = Field(
        "linear",
        description="Layers above the pooled features; `dense` is the tutorials' 512-256-D stack.",
    )
    head_init: Literal["pca", "random"] = Field(
        "pca",
        description="A linear head starts as the features' principal axes, or at random.",
    )
    dimension: int = Field(256, ge=2, le=4096, description="Length of an embedding.")
    input_size: int = Field(128, ge=32, le=1024, description="Side of the input in pixels.")
    serving_size: int | None = Field(
        None,
        ge=32,
        le=1024,
        description="Side of the published model's input, where it differs from training's.",
    )
    classes_per_batch: int = Field(32, ge=2, description="P: classes in a batch.")
    images_per_class: int = Field(3, ge=2, description="K: images of each class in a batch.")
    hard_classes: float = Field(
        0.0, ge=0, le=1, description="Part of a batch's classes that are neighbours of each other."
    )
    single_images: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Part of a batch's classes that have one image: its positives are its own changes.",
    )
    steps_per_epoch: int | None = Field(
        None, ge=1, description="Batches in an epoch, where it is not every class once."
    )
    head_epochs: int = Field(5, ge=0, description="Epochs of the head alone, on frozen features.")
    head_images: int = Field(
        20_000, ge=2, description="Most images whose features the head's stage keeps."
    )
    epochs: int = Field(16, ge=0, description="Epochs of fine-tuning the whole network.")
    loss: Loss = Field("triplet", description="What is minimised.")
    mining: Mining = Field("batch_hard", description="Which triplets of the batch are used.")
    semi_hard_epochs: int = Field(
        1,
        ge=0,
        description="Fine-tuning epochs with semi-hard negatives before `mining` takes over.",
    )
    margin: float = Field(
        0.1, gt=0, lt=2, description="Margin of triplet and contrastive loss, on unit vectors."
    )
    soft_margin: bool = Field(
        False, description="Triplet loss as softplus of the scaled difference, without a margin."
    )
    metric: Literal["euclidean", "cosine"] = Field(
        "euclidean", description="Distance inside the triplet and contrastive losses."
    )
    memory: int = Field(0, ge=0, description="Embeddings of past batches kept as more negatives.")
    distillation: float = Field(
        0.0,
        ge=0,
        description="Weight of staying close to the frozen features' distances within a batch.",
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
    serving_keep_unlike: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="The published model's `keep_unlike`, where it differs from training's.",
    )
    keep_dimension: int = Field(
        256, ge=2, le=4096, description="Numbers of an embedding that hold those features."
    )
    frozen_stages: int = Field(
        0, ge=-1, description="Stages of the backbone that stay as they are; -1 freezes all."
    )
    learning_rate: float = Field(3e-4, gt=0, description="Peak rate of the backbone.")
    head_learning_rate: float = Field(3e-3, gt=0, description="Peak rate of the head.")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's decoupled weight decay.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Part of the steps that warm up.")
    ema: float = Field(
        0.0, ge=0, lt=1, description="Decay of the moving average of weights; 0 is off."
    )
    blend: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the trained weights in the published backbone; the rest is pretrained.",
    )
    patience: int | None = Field(
        None, ge=1, description="Epochs without a better validation recall before it stops."
    )
    stop_if_failing: bool = Field(
        True,
        description="Stop a run that has collapsed or gets nowhere; false only says so, once.",
    )
    mixed_precision: bool = Field(
        False, description="Compute in bfloat16: faster on GPUs and CPUs made for it."
    )
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
    rotate: float = Field(0.0, ge=0, le=180, description="Largest turn of the picture, in degrees.")
    blur: float = Field(0.0, ge=0, le=1, description="Part of the images blurred.")
    jpeg: float = Field(
        0.0, ge=0, le=1, description="Part of the images saved smaller and as JPEG."
    )
    background: float = Field(
        0.0, ge=0, le=1, description="Part of the images whose plain background changes colour."
    )
    padding: float = Field(
        0.0, ge=0, le=1, description="Part of the images shrunk onto a plain ground."
    )
    overlay: float = Field(
        0.0, ge=0, le=1, description="Part of the images that get a stripe, a patch or a frame."
    )
    validation_fraction: float = Field(0.1, ge=0, lt=1, description="Classes kept to validate.")
    test_fraction: float = Field(0.1, ge=0, lt=1, description="Classes kept to test.")
    held_out_images: int = Field(
        5000,
        ge=100,
        description="Most images to validate with, and to test with: whole classes, drawn at random.",
    )
    seed: int = Field(0, ge=0, description="Seed of every random choice.")

    @model_validator(mode="after")
    def _possible(self) -> "TrainConfig":
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave no class to train on")
        if self.head_epochs + self.epochs == 0:
            raise ValueError("head_epochs and epochs are both 0, so nothing would be trained")
        if self.keep_unlike is not None and not 0 < self.keep <= self.keep_unlike:
            raise ValueError(
                "keep_unlike is a share like keep, which must be above 0 and no larger"
            )
        if self.serving_keep_unlike is not None and (
            self.keep_unlike is None or self.serving_keep_unlike < self.keep
        ):
            raise ValueError(
                "serving_keep_unlike stands in for keep_unlike, which must be set, and is no "
                "smaller than keep"
            )
        if self.memory and self.loss in ("proxy_anchor", "fixed_triplets"):
            raise ValueError(f"memory has no meaning with the loss {self.loss}")
        if self.loss == "fixed_triplets" and (
            self.distillation or self.single_images or self.hard_classes
        ):
            raise ValueError(
                "distillation, single_images and hard_classes have no meaning with the loss "
                "fixed_triplets"
            )
        return self

    @property
    def batch_size(self) -> int:
        return self.classes_per_batch * self.images_per_class

    @property
    def cache_size(self) -> int:
        """Side of cached training images: a quarter larger, so that crops keep their detail."""
        return self.input_size * 5 // 4

    @property
    def published_dimension(self) -> int:
        return self.dimension + (self.keep_dimension if self.keep else 0)

    @property
    def published_size(self) -> int:
        return self.serving_size or self.input_size

    @property
    def published_keep_unlike(self) -> float | None:
        return self.serving_keep_unlike or self.keep_unlike


def read_config(values: Mapping[str, object]) -> TrainConfig:
    """Check ``values``, text from a command line included. Raises ``ConfigError`` in a sentence."""
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as exc:
        problem = exc.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{name}: {message}." if name else f"{message}.") from exc


def read_config_file(path: Path) -> dict[str, object]:
    """The values of a TOML file such as those in ``configs/``. Raises ``ConfigError``."""
    try:
        with path.open("rb") as stream:
            values = tomllib.load(stream)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}).") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not a TOML file ({exc}).") from exc
    known = TrainConfig.model_fields
    for key in values:
        if key not in known:
            raise ConfigError(f"{path}: {key} is no knob of training; see docs/settings.md.")
    return values
