"""Whether the service lives and is ready."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from app.api.responses.models import ModelIdentity
from app.bundle.manifest import Manifest


class GalleryInfo(BaseModel):
    images: int
    damaged: int = Field(description="Stored things found damaged; `/stats` names them.")


class HealthModel(ModelIdentity):
    dimension: int
    runtime: str

    @classmethod
    def of(cls, model: Manifest, runtime: str) -> Self:
        """Describe the model that answers, and what runs it."""
        return cls(
            name=model.name,
            version=model.version,
            id=model.model_id,
            dimension=model.dimension,
            runtime=runtime,
        )


class Health(BaseModel):
    status: Literal["ok"]
    version: str
    model: HealthModel
    gallery: GalleryInfo
    uptime_s: float


class Live(BaseModel):
    status: Literal["ok"]
