"""What a run trains on, and how the result becomes a bundle."""

from pathlib import Path
from typing import Any, Protocol

from app.bundle.encoder import Vectors
from app.bundle.manifest import Backbone, Preprocessing
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.fit.checkpoint import Weights
from trainer.network.embedder import Network
from trainer.network.features import Advance


class Foundation(Protocol):
    """A network to train, and what only its maker knows of it.

    ``weights`` are those of its ``Network.embedder``, in their order.
    """

    @property
    def config(self) -> TrainConfig: ...

    @property
    def input_size(self) -> int:
        """Side of the images, in training and serving."""
        ...

    @property
    def preprocessing(self) -> Preprocessing: ...

    @property
    def provenance(self) -> Backbone:
        """Where the pretrained weights came from, and under which licence."""
        ...

    @property
    def training(self) -> dict[str, Any]:
        """The manifest's part on what was trained, ready for JSON: another one is another run."""
        ...

    def network(self) -> Network:
        """Return the network before training, its head drawn from the global seed."""
        ...

    def export(self, weights: Weights, folder: Path) -> None:
        """Write the files of a bundle that embeds with ``weights``."""
        ...

    def embed(self, weights: Weights, images: ImageCache, advance: Advance) -> Vectors:
        """Embed ``images`` [N] with ``weights`` that need not be published, float32 [N, D]."""
        ...
