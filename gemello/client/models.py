"""What the service says of its models; part of ``results``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """The model that made an answer; ``id`` is the SHA-256 of its graph and preprocessing."""

    name: str
    version: str
    id: str


@dataclass(frozen=True, slots=True)
class BaseModel:
    """What a model was adapted from, to how many images, its figures, and the job that did it."""

    model: str
    images: int
    metrics: dict[str, float] | None
    job: str


@dataclass(frozen=True, slots=True)
class PublishedModel(Model):
    """A model of the model store; ``active`` says whether it is the one that answers.

    ``base`` is None unless it was adapted from another one.
    """

    active: bool
    created: str
    dimension: int
    input_size: int
    backbone: str
    calibrated: bool
    metrics: dict[str, float] | None
    base: BaseModel | None


@dataclass(frozen=True, slots=True)
class ServedModel(Model):
    """The model that answers, and the runtime that it runs on."""

    dimension: int
    runtime: str
