"""A pretrained Keras network as what a run trains on: all of it can be fine-tuned."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bundle.encoder import Vectors
from app.bundle.manifest import Backbone, Preprocessing
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.evaluate.embedding import embed_cache
from trainer.evaluate.keras_encoder import KerasEncoder
from trainer.fit.checkpoint import Weights
from trainer.network import backbones
from trainer.network.embedder import Network, build, in_float32
from trainer.network.features import Advance
from trainer.publish.export import export, round_to_half


@dataclass(frozen=True, slots=True)
class Pretrained:
    """The network that ``config`` describes."""

    config: TrainConfig

    @property
    def input_size(self) -> int:
        return self.config.network.input_size

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing()

    @property
    def provenance(self) -> Backbone:
        return backbones.provenance(self.config.network.backbone)

    @property
    def training(self) -> dict[str, Any]:
        return {"config": self.config.model_dump()}

    def network(self) -> Network:
        """Raises ``WeightsError``."""
        return build(self.config.network)

    def export(self, weights: Weights, folder: Path) -> None:
        embedder = in_float32(weights, self.config.network)
        round_to_half(embedder)
        export(embedder, folder)

    def embed(self, weights: Weights, images: ImageCache, advance: Advance) -> Vectors:
        encoder = KerasEncoder(in_float32(weights, self.config.network))
        return embed_cache(encoder, images, advance)
