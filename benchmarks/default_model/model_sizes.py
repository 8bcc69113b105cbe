"""A published model and its untrained backbone at any input size, as graphs that serve."""

from datetime import UTC, datetime
from pathlib import Path

import keras
import openvino as ov

from app.bundle.encoder import Encoder, graph_path
from app.bundle.manifest import Manifest
from app.bundle.model_store import Bundle
from app.bundle.openvino import OpenVinoEncoder
from app.bundle.runtimes import load_encoder
from trainer.config import read_config
from trainer.network.embedder import untrained
from trainer.publish.export import export, round_to_half


def encoders_at(bundle: Bundle, size: int, scratch: Path) -> tuple[Encoder, Encoder]:
    """The untrained backbone and the trained model for images of ``size``, both in OpenVINO.

    At its own size the trained model is the published graph itself. ``scratch`` takes the graphs.
    """
    manifest = bundle.manifest
    weights = manifest.training.get("config", {}).get("network", {}).get("weights")
    given = {"backbone": manifest.backbone.name, "input_size": size, "weights": weights}
    plain = untrained(read_config({"network": given}).network)
    baseline = _served(plain, manifest, scratch / f"untrained-{size}")
    if size == manifest.input_size:
        return baseline, load_encoder(bundle)
    return baseline, _at_size(bundle, size, scratch / f"trained-{size}")


def _at_size(bundle: Bundle, size: int, folder: Path) -> Encoder:
    """The published graph with another input; nothing in it depends on the size but that."""
    graph = ov.Core().read_model(graph_path(bundle, "openvino"))
    graph.reshape([-1, size, size, 3])
    (folder / "openvino").mkdir(parents=True)
    ov.save_model(graph, folder / "openvino" / "model.xml", compress_to_fp16=False)
    sized = bundle.manifest.model_copy(update={"input_size": size})
    return OpenVinoEncoder(Bundle(folder, sized))


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
