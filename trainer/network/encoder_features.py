"""Features that an encoder of the model store makes, kept on disk for the next run."""

from pathlib import Path

from app.bundle.encoder import Encoder, Vectors
from app.images.prepare import Pixels
from trainer.data.cache import ImageCache
from trainer.data.feature_store import FeatureStore
from trainer.data.rows import RowFile
from trainer.errors import DataError
from trainer.network.features import Advance


class EncoderFeatures:
    """What ``encoder`` makes of images at its size; stored below ``cache``, for its model id."""

    def __init__(self, encoder: Encoder, cache: Path) -> None:
        self._encoder = encoder
        folder = cache / "features" / encoder.model_id[:32]
        self._store = FeatureStore(folder, encoder.dimension)

    def rows(self, images: ImageCache, advance: Advance) -> RowFile:
        """Return float32 [N, F]. Raises ``DataError``."""
        return self._store.rows(images, self._embed, advance)

    def _embed(self, images: Pixels) -> Vectors:
        try:
            return self._encoder.embed(images)
        except ValueError as exc:
            raise DataError(f"The backbone cannot embed these images: {exc}.") from exc
