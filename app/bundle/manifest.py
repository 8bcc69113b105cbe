"""What a model bundle says of itself: ``manifest.json``, as a typed document."""

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.bundle.scoring import Scoring
from app.bundle.tail import Tail
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
    """What distances meant among validation classes: the prior of every verdict on a match.

    ``tail`` says how many non-matching images lie within a distance, by the number of images
    searched; the probability of a match is the logistic function of that number's logarithm, so that
    it depends on the number of images, too.
    """

    tail: Tail
    spread: float = Field(
        gt=0,
        description="Distance that one in ten of all pairs of the validation images do not exceed. "
        "A gallery whose images lie closer together is judged by a scale that is as much smaller.",
    )
    intercept: float = Field(
        description="Log odds of a match where one non-matching image is expected to be as near; "
        "half of the queries that it was fitted on had no match among the images searched."
    )
    slope: float = Field(lt=0, description="Change of the log odds with that number's logarithm.")
    images: int = Field(description="Validation images that it was fitted on.")
    classes: int = Field(description="Classes that they are of.")
    calibration_error: float | None = Field(
        None,
        description="Expected calibration error on test classes, ten bins; null if not measured.",
    )

    @property
    def scoring(self) -> Scoring:
        """Probabilities for galleries that say nothing of their own."""
        return Scoring(self.intercept, self.slope)


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

    @field_validator("calibration", mode="before")
    @classmethod
    def _without_threshold(cls, value: Any) -> Any:
        """Calibrations up to version 0.2 had one threshold for pairs, which says nothing of searches."""
        return None if isinstance(value, dict) and "threshold" in value else value


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
