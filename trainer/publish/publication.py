"""A trained embedder → the next version of a model, in the store."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from app.bundle import model_store
from app.bundle.manifest import Manifest, Preprocessing, model_id
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from trainer.config import TrainConfig
from trainer.errors import DataError
from trainer.network.backbones import provenance
from trainer.network.embedder import published
from trainer.preparation import Prepared
from trainer.publish.bundle_report import write_bundle_report
from trainer.publish.export import export, round_to_half
from trainer.publish.measure import measure_calibration, measure_retrieval


def check_destination(store: Path, name: str) -> None:
    """Refuse a name or a store that cannot be published to, before the work rather than after it.

    Raises ``ParameterInvalid`` or ``DataError``.
    """
    try:
        with model_store.staging(store, name):
            pass
    except OSError as exc:
        raise DataError(f"Models cannot be written to {store} ({exc.strerror}).") from exc


def publish(
    trained: keras.Model,
    config: TrainConfig,
    history: Mapping[str, Any],
    data: Prepared,
    store: Path,
    name: str,
) -> Bundle:
    """Publish ``trained``, an embedder, as ``config`` says and as the next version of ``name``.

    Figures, calibration and report are those of the exported files, measured by the serving code.
    """
    network = config.published_network
    embedder = published(trained, network)
    round_to_half(embedder)
    with model_store.staging(store, name) as folder:
        export(embedder, folder)
        files = model_store.hash_files(folder)
        manifest = Manifest(
            name=name,
            version=model_store.next_version(store, name),
            created=datetime.now(UTC).replace(microsecond=0),
            dimension=network.embedding_dimension,
            input_size=network.input_size,
            backbone=provenance(network.backbone),
            training={"config": config.model_dump(), "history": dict(history)},
            data=data.as_manifest(),
            files=files,
            model_id=model_id(files, network.input_size, Preprocessing()),
        )
        measured = _measured(Bundle(folder, manifest), config, data)
        model_store.write_manifest(folder, measured.manifest)
        return model_store.publish(store, folder)


def _measured(bundle: Bundle, config: TrainConfig, data: Prepared) -> Bundle:
    """``bundle`` with its calibration, its evaluation and its report."""
    test, validation = data.splits["test"], data.splits["validation"]
    encoder = load_encoder(bundle)
    retrieval = measure_retrieval(encoder, test, config.published_network)
    calibration = measure_calibration(encoder, validation, retrieval, config.seed)
    figures = {
        "calibration": calibration,
        "evaluation": retrieval.evaluation() if retrieval else None,
    }
    measured = Bundle(bundle.path, bundle.manifest.model_copy(update=figures))
    if retrieval is None:
        return measured
    write_bundle_report(measured, retrieval, data.scan, test)
    files = model_store.hash_files(bundle.path)
    return Bundle(bundle.path, measured.manifest.model_copy(update={"files": files}))
