"""A published model and its untrained backbone at any input size, as graphs that serve."""

from datetime import UTC, datetime
from pathlib import Path

import keras

from app.bundle.encoder import Encoder
from app.bundle.manifest import Manifest
from app.bundle.model_store import Bundle
from app.bundle.openvino import OpenVinoEncoder
from app.bundle.runtimes import load_encoder
from trainer.config import read_stored
from trainer.network.embedder import published, untrained
from trainer.publish.export import export, round_to_half


def encoders_at(bundle: Bundle, size: int, scratch: Path) -> tuple[Encoder, Encoder]:
    """The untrained backbone and the trained model for images of ``size``, both in OpenVINO.

    At its own size the trained model is the published graph itself. ``scratch`` takes the graphs.
    Raises ``DataError`` when the model cannot be rebuilt.
    """
    config = read_stored(bundle.manifest.training.get("config", {}))
    plain = untrained(config.network.backbone, size, config.network.weights)
    baseline = _served(plain, bundle.manifest, scratch / f"untrained-{size}")
    if size == bundle.manifest.input_size:
        return baseline, load_encoder(bundle)
    kept = keras.saving.load_model(bundle.path / "model.keras")
    trained = published(kept, config.published_network.model_copy(update={"input_size": size}))
    return baseline, _served(trained, bundle.manifest, scratch / f"trained-{size}")


def _served(model: keras.Model, like: Manifest, folder: Path) -> Encoder:
    """``model`` behind the service's own runtime."""
    folder.mkdir(parents=True)
    round_to_half(model)
    export(model, folder)
    manifest = Manifest(
        name="benchmark",
        version="1",
        created=datetime.now(UTC),
        dimension=model.output_shape[1],
        input_size=model.input_shape[1],
        backbone=like.backbone,
        training={},
        data={},
        files={},
        model_id=model.name,
    )
    return OpenVinoEncoder(Bundle(folder, manifest))
