"""The published models, and the one that answered."""

from typing import Self

from pydantic import BaseModel, Field

from app.bundle.manifest import Base, Manifest


class ModelIdentity(BaseModel):
    name: str = Field(examples=["default"])
    version: str = Field(examples=["1"])
    id: str = Field(description="SHA-256 of the serving graph and its preprocessing.")


class ModelInfo(ModelIdentity):
    @classmethod
    def of(cls, model: Manifest) -> Self:
        """Name a model."""
        return cls(name=model.name, version=model.version, id=model.model_id)


class BaseModelInfo(BaseModel):
    model: str = Field(examples=["default/2"])
    images: int = Field(description="Stored images that its vectors were centred and scaled by.")
    metrics: dict[str, float] | None = Field(
        description="The base's figures where `metrics` are those of the adapted model."
    )
    job: str = Field(description="Id of the job that adapted it.")

    @classmethod
    def of(cls, base: Base) -> Self:
        """Describe what a model was adapted from."""
        return cls(model=base.model, images=base.images, metrics=base.metrics, job=base.job)


class Model(ModelIdentity):
    active: bool = Field(description="Whether it is the one that answers.")
    created: str
    dimension: int
    input_size: int
    backbone: str = Field(examples=["efficientnet_lite0"])
    calibrated: bool = Field(
        description="Whether it brings a calibration, so that its results have scores."
    )
    metrics: dict[str, float] | None = Field(
        description="Retrieval figures of the published model on its test classes; of an adapted one, "
        "on labelled images of the gallery that it was adapted to."
    )
    base: BaseModelInfo | None = Field(
        description="The model that it was adapted from; null for one that was trained."
    )

    @classmethod
    def of(cls, model: Manifest, served: Manifest) -> Self:
        """Describe a model; ``served`` is the one that answers."""
        return cls(
            name=model.name,
            version=model.version,
            id=model.model_id,
            active=(model.name, model.version) == (served.name, served.version),
            created=model.created.isoformat(),
            dimension=model.dimension,
            input_size=model.input_size,
            backbone=model.backbone.name,
            calibrated=model.calibration is not None,
            metrics=model.evaluation.metrics if model.evaluation else None,
            base=BaseModelInfo.of(model.base) if model.base else None,
        )


class ModelsAnswer(BaseModel):
    models: list[Model]
