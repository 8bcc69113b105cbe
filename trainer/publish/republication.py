"""Publishes a model once more, with other ``publish.serving_*`` options: the same weights, without training."""

from collections.abc import Mapping
from pathlib import Path

import keras

from app.bundle.model_store import Bundle, resolve
from trainer.config import TrainConfig, merged, nested, option_names, read_config, read_stored
from trainer.errors import ConfigError, DataError
from trainer.preparation import prepare
from trainer.publish.publication import check_destination, publish


def changed(bundle: Bundle, changes: Mapping[str, object]) -> TrainConfig:
    """Return the configuration that ``bundle`` was trained with, and ``changes`` to its ``publish.serving_*`` options.

    Raises ``ConfigError`` for any other option: it would need another training.
    """
    allowed = sorted(name for name in option_names() if name.startswith("publish.serving_"))
    for name in changes:
        if name not in allowed:
            raise ConfigError(
                f"{name} cannot change without training again; {' and '.join(allowed)} can."
            )
    trained = read_stored(bundle.manifest.training.get("config", {}))
    return read_config(merged(trained.model_dump(), nested(changes)))


def republish(
    data: Path, model: str, changes: Mapping[str, object], store: Path, cache: Path
) -> Bundle:
    """Publish ``model`` (a name or name/version) as the next version of its name, with ``changes``.

    ``data`` is what it was trained with, because its figures and its calibration are measured anew on
    the classes that it was not trained on. Raises ``TrainerError`` or ``ModelError``.
    """
    bundle = resolve(store, model)
    if "imported" in bundle.manifest.training:
        raise DataError(
            f"{bundle.title} was imported, and not trained here; import its file once more instead."
        )
    config = changed(bundle, changes)
    name = bundle.manifest.name
    check_destination(store, name)
    # Divided and scanned as before, so that no image changes sides.
    before = changed(bundle, {})
    prepared = prepare(data, before, cache)
    if prepared.as_manifest()["content_sha256"] != bundle.manifest.data.get("content_sha256"):
        raise DataError(
            f"{data} does not hold the images that {bundle.title} was trained with, so some that it "
            "was trained on could flatter its figures."
        )
    trained = keras.saving.load_model(bundle.path / "model.keras")
    history = bundle.manifest.training["history"]
    return publish(trained, config, history, prepared.at_published_size(config), store, name)
