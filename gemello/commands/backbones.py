"""What ``--backbone`` of ``gemello train`` names: a pretrained network, or a model of the store."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from gemello.commands.errors import OptionInvalid

if TYPE_CHECKING:
    from app.bundle.model_store import Bundle

_FILES = (".onnx", ".xml", ".tflite")


def stored_backbone(backbone: str | None, store: Path) -> "Bundle | None":
    """Return the model of ``store`` that ``backbone`` names; None where it is a pretrained network, or none.

    A pretrained network goes first, and name/version is always a model. Raises ``OptionInvalid``, or
    ``ModelCorrupt``.
    """
    from app.bundle.model_store import resolve
    from app.errors import ModelNotFound
    from trainer.config import Backbone

    if backbone is None or backbone in get_args(Backbone):
        return None
    try:
        return resolve(store, backbone)
    except ModelNotFound as exc:
        file = Path(backbone)
        if file.suffix.lower() in _FILES:
            raise OptionInvalid("--backbone", _to_import(file)) from exc
        models = f", such as {exc.known[-1]}" if exc.known else "; it holds none"
        raise OptionInvalid(
            "--backbone",
            f"{backbone!r} is neither a pretrained network ({', '.join(get_args(Backbone))}) nor a "
            f"model in {store}{models}",
        ) from exc


def _to_import(file: Path) -> str:
    """A file does not say how its pixels are scaled, and importing it asks, checks and keeps that."""
    from app.bundle.model_store import NAME

    name = file.stem if NAME.fullmatch(file.stem) else "encoder"
    return (
        f"{file.name} is a file, of which a model must be made first: `gemello models import "
        f"{shlex.quote(str(file))} --name {name} --mean R,G,B --std R,G,B`, and then `--backbone {name}`"
    )
