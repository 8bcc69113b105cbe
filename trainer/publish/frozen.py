"""A model of the store as what a run trains on: it stays as it is, and gets a linear head.

Nothing but its serving graph is needed, so that it may be anybody's. The published model is that
graph with the head at its end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bundle.adapted import write_mapped
from app.bundle.encoder import Vectors
from app.bundle.linear_map import LinearMap
from app.bundle.manifest import Backbone, Preprocessing
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from trainer.config import TrainConfig, options_in_use
from trainer.data.cache import ImageCache
from trainer.fit.checkpoint import Weights
from trainer.network.embedder import Network, on_features
from trainer.network.encoder_features import EncoderFeatures
from trainer.network.features import Advance


@dataclass(frozen=True, slots=True)
class Frozen:
    """``base``, whose ``features`` a head is trained on as ``config`` says (``config.head_alone``)."""

    base: Bundle
    features: EncoderFeatures
    config: TrainConfig

    @classmethod
    def of(cls, base: Bundle, config: TrainConfig, cache: Path) -> "Frozen":
        """Load the encoder of ``base``; its features stay below ``cache``.

        Raises ``RuntimeUnavailable``, and ``ValueError`` for a ``config`` that would fine-tune.
        """
        if config.epochs:
            raise ValueError(f"{base.title} stays as it is, but epochs is {config.epochs}")
        return cls(base, EncoderFeatures(load_encoder(base), cache), config)

    @property
    def input_size(self) -> int:
        return self.base.manifest.input_size

    @property
    def preprocessing(self) -> Preprocessing:
        return self.base.manifest.preprocessing

    @property
    def provenance(self) -> Backbone:
        return self.base.manifest.backbone

    @property
    def training(self) -> dict[str, Any]:
        manifest = self.base.manifest
        encoder = {"model": self.base.title, "model_id": manifest.model_id}
        if "imported" in manifest.training:
            encoder["imported"] = manifest.training["imported"]
        return {"encoder": encoder, "config": options_in_use(self.config)}

    def network(self) -> Network:
        width = self.base.manifest.dimension
        return on_features(self.features, width, self.config.network.dimension)

    def export(self, weights: Weights, folder: Path) -> None:
        """Raises ``RuntimeUnavailable`` when the graph of the base cannot be read any more."""
        write_mapped(folder, self.base, LinearMap(*weights))

    def embed(self, weights: Weights, images: ImageCache, advance: Advance) -> Vectors:
        return LinearMap(*weights)(self.features.rows(images, advance)[:])
