"""What a model bundle says of itself: ``manifest.json``, as a typed document."""

import hashlib
import json
import math
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.images.square import Resize

FORMAT_VERSION = 1
SERVING_FILES = ("openvino/model.xml", "openvino/model.bin", "tensorflow/")
"""Files (or folders, with a slash) that are run; with the preprocessing they make the model's id."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocessing(_Part):
    """What happens to an image before the graph; everything else is inside the graph."""

    colour: Literal["RGB"] = "RGB"
    dtype: Literal["uint8"] = "uint8"
    resize: Resize = "stretch"
    filter: Literal["bicubic"] = "bicubic"


class Backbone(_Part):
    """The pretrained network underneath, and where its weights came from."""

    name: str
    weights: str = Field(description="Where the pretrained weights came from.")
    licence: str


class Evaluation(_Part):
    """Retrieval figures of the published bundle, measured with the serving code."""

    protocol: str = Field(description="What was searched in what, in one sentence.")
    queries: int
    gallery: int
    metrics: dict[str, float]
    untrained: dict[str, float] | None = Field(
        None, description="The same figures for the pretrained backbone without training."
    )


class Calibration(_Part):
    """Distance → probability of a match: 1 / (1 + exp(-(intercept + slope · distance^power))).

    Right for the first ten results of searches in a gallery of ``gallery`` images; in a larger one
    more strangers come as near, and the probability is too high.
    """

    intercept: float
    slope: float
    power: Literal[1, 2] = Field(
        1, description="2 takes the squared distance: between unit vectors, the cosine's logistic."
    )
    threshold: float = Field(
        description="Distance up to which a result is called a match. Of all pairs of two images "
        "that do not belong together, drawn at random and not by a search, the part "
        "`false_positive_rate` is at it or nearer."
    )
    false_positive_rate: float = 0.01
    gallery: int | None = Field(
        None, description="Images that each query was searched in; null in older manifests."
    )
    calibration_error: float | None = Field(
        None,
        description="Expected calibration error on test classes, ten bins; null if not measured.",
    )

    def probability(self, distance: float) -> float:
        """Return the probability, 0–1, that a result at ``distance`` is a match."""
        # The logistic function by way of tanh, which no distance makes overflow.
        return (1 + math.tanh((self.intercept + self.slope * distance**self.power) / 2)) / 2

    def matches(self, distance: float) -> bool:
        """Return whether a result at ``distance`` is called a match."""
        return distance <= self.threshold


class Base(_Part):
    """The model whose vectors a linear map turns into those of this one (``linear_map.npz``)."""

    model: str = Field(description="The model that was adapted, as name/version.")
    model_id: str = Field(description="Its id, which stamps the vectors that can be mapped.")
    images: int = Field(description="Stored images whose vectors the map was fitted on.")
    metrics: dict[str, float] | None = Field(
        None, description="What the figures of `evaluation` are with that model; null without them."
    )
    job: str = Field(description="Id of the job that fitted the map.")


class Manifest(_Part):
    """What a published model is, where it came from, and what it was measured to do."""

    format_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^[1-9][0-9]*$", description="A number that counts up.")
    created: datetime
    dimension: int
    input_size: int
    preprocessing: Preprocessing = Preprocessing()
    metric: Literal["euclidean"] = "euclidean"
    normalised: bool = Field(True, description="Whether embeddings have unit length.")
    backbone: Backbone
    training: dict[str, Any] = Field(description="The full training configuration.")
    data: dict[str, Any] = Field(description="Fingerprint and counts of the training data.")
    base: Base | None = Field(
        None, description="The model that this one was adapted from; null for one that was trained."
    )
    evaluation: Evaluation | None = None
    calibration: Calibration | None = None
    files: dict[str, str] = Field(description="SHA-256 of every file of the bundle but this one.")
    model_id: str = Field(description="SHA-256 of the serving graph plus its preprocessing.")

    def score(self, distance: float) -> float | None:
        """Return the probability that a result at ``distance`` is a match; None without a calibration."""
        return self.calibration.probability(distance) if self.calibration else None

    def match(self, distance: float) -> bool | None:
        """Return whether a result at ``distance`` is called a match; None without a calibration."""
        return self.calibration.matches(distance) if self.calibration else None


def model_id(files: dict[str, str], input_size: int, preprocessing: Preprocessing) -> str:
    """Return the id that stamps every stored vector: changes when, and only when, embeddings may change.

    ``files`` maps a bundle's relative paths to their SHA-256.
    """
    graph = {
        path: digest
        for path, digest in files.items()
        if any(
            path == part or (part.endswith("/") and path.startswith(part)) for part in SERVING_FILES
        )
    }
    identity = {
        "graph": graph,
        "input_size": input_size,
        "preprocessing": preprocessing.model_dump(),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
