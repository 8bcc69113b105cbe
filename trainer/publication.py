"""A trained embedder → the next version of a model: exported, measured, reported, and published."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from app import model_store
from app.manifest import Manifest, Preprocessing, model_id
from app.model_store import Bundle
from trainer.config import TrainConfig
from trainer.errors import DataError
from trainer.export import export, round_to_half
from trainer.network.backbones import provenance
from trainer.preparation import Prepared
from trainer.proof import proved


def refuse_early(store: Path, name: str) -> None:
    """A name or a store that cannot be published to is told before the work, not after it.

    Raises ``ParameterInvalid`` or ``DataError``.
    """
    try:
        with model_store.staging(store, name):
            pass
    except OSError as exc:
        raise DataError(f"Models cannot be written to {store} ({exc.strerror}).") from exc


def publish(
    embedder: keras.Model,
    config: TrainConfig,
    history: Mapping[str, Any],
    data: Prepared,
    store: Path,
    name: str,
) -> Bundle:
    """``embedder``, trained with ``config``, as the next version of ``name``.

    What is reported was measured on the exported model by the serving code.
    """
    network = config.published_network
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
            data=data.facts(),
            files=files,
            model_id=model_id(files, network.input_size, Preprocessing()),
        )
        bundle = proved(Bundle(folder, manifest), data.splits, data.found, config)
        model_store.write_manifest(folder, bundle.manifest)
        return model_store.publish(store, folder)
