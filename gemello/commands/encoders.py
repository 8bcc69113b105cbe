"""Which model a command measures: a published one, or pretrained features without training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemello.commands.errors import OptionInvalid
from gemello.commands.options import model_store
from gemello.commands.tensorflow import load_tensorflow

if TYPE_CHECKING:
    from app.bundle.encoder import Encoder
    from app.bundle.model_store import Bundle

Model = Annotated[str | None, typer.Option(help="Published model: name or name/version.")]
Backbone = Annotated[str | None, typer.Option(help="Pretrained network, with --untrained.")]
Untrained = Annotated[
    bool,
    typer.Option(
        "--untrained", help="Measure the backbone's own features, whitened on the images searched."
    ),
]
Weights = Annotated[Path | None, typer.Option(help="Weights file for the backbone.")]
Size = Annotated[int, typer.Option(help="Input side in pixels, with --untrained.")]

# The images that are searched, which features without training are whitened on.
Searched = Callable[[], Sequence[Path]]

UNTRAINED = "untrained:"
_SIZE = 192


@dataclass(frozen=True, slots=True)
class Chosen:
    """An encoder, its title, and its bundle where it is published."""

    encoder: "Encoder"
    title: str
    bundle: "Bundle | None" = None

    def description(self) -> dict[str, Any]:
        """Return a report's description of the model."""
        description: dict[str, Any] = {
            "name": self.title,
            "dimension": self.encoder.dimension,
            "input_size": self.encoder.input_size,
        }
        if self.bundle:
            manifest = self.bundle.manifest
            description |= {
                "created": manifest.created.isoformat(),
                "backbone": manifest.backbone.model_dump(),
                "model_id": manifest.model_id,
            }
        return description


def choose(
    model: str | None,
    backbone: str | None,
    untrained: bool,
    weights: Path | None,
    input_size: int,
    store: Path | None,
    searched: Searched,
) -> Chosen:
    """Return the model that the options name. Raises ``OptionInvalid`` when they disagree."""
    if untrained != (backbone is not None) or (untrained and model):
        raise OptionInvalid(
            "--model", "give --model NAME, or --backbone NAME together with --untrained"
        )
    if backbone is None:
        return published(model or "default", store)
    return untrained_backbone(backbone, input_size, searched, str(weights) if weights else None)


def named(model: str, store: Path | None, searched: Searched) -> Chosen:
    """Return a published ``name`` or ``name/version``, or ``untrained:BACKBONE[@SIZE]``."""
    if not model.startswith(UNTRAINED):
        return published(model, store)
    backbone, at, size = model.removeprefix(UNTRAINED).partition("@")
    if at and not (size.isdecimal() and len(size) < 6):
        raise OptionInvalid(model, f"{size!r} is not an input size in pixels")
    return untrained_backbone(backbone, int(size) if at else _SIZE, searched)


def untrained_backbone(
    backbone: str, input_size: int, searched: Searched, weights: str | None = None
) -> Chosen:
    """Return pretrained features, whitened on the images of ``searched``; no label is used.

    Raises ``ConfigError``, ``WeightsError``.
    """
    load_tensorflow()
    from gemello.progress import say
    from trainer.config import read_config
    from trainer.evaluate.keras_encoder import KerasEncoder
    from trainer.evaluate.whitened import whitened_on
    from trainer.network.embedder import untrained as build

    given = {"backbone": backbone, "input_size": input_size, "weights": weights}
    config = read_config({"network": given}).network
    features = KerasEncoder(build(config))
    say("whitening the untrained features on the images searched")
    title = f"untrained {backbone} at {input_size} px, whitened on these images"
    return Chosen(whitened_on(features, searched()), title)


def baseline_of(bundle: "Bundle", searched: Searched) -> Chosen:
    """Return the backbone underneath a published model, without training, at the same input size.

    Raises ``GemelloError`` or ``OptionInvalid`` in a sentence when it cannot be had here.
    """
    if encoder := bundle.manifest.training.get("encoder"):
        return _untrained_encoder(bundle, encoder, searched)
    if "imported" in bundle.manifest.training:
        raise OptionInvalid("--report", f"{bundle.title} was imported, and not trained here")
    if find_spec("tensorflow") is None:
        raise OptionInvalid("--report", "TensorFlow is not installed")
    manifest = bundle.manifest
    network = manifest.training.get("config", {}).get("network", {})
    size, weights = manifest.input_size, network.get("weights")
    return untrained_backbone(manifest.backbone.name, size, searched, weights)


def _untrained_encoder(bundle: "Bundle", encoder: Mapping[str, str], searched: Searched) -> Chosen:
    """The encoder that a head was trained on, whitened; it may have gone from the store since."""
    from app.bundle.model_store import resolve
    from app.bundle.runtimes import load_encoder
    from gemello.progress import say
    from trainer.evaluate.whitened import whitened_on

    base = resolve(bundle.path.parents[1], encoder["model"])
    if base.manifest.model_id != encoder["model_id"]:
        reason = f"{base.title} is not the model any more that {bundle.title} was trained on"
        raise OptionInvalid("--report", reason)
    say("whitening the untrained features on the images searched")
    title = f"{base.title} without training, whitened on these images"
    return Chosen(whitened_on(load_encoder(base), searched()), title)


def published(model: str, store: Path | None) -> Chosen:
    """Return the published ``name`` or ``name/version``."""
    from app.bundle.model_store import resolve
    from app.bundle.runtimes import load_encoder

    bundle = resolve(model_store(store), model)
    return Chosen(load_encoder(bundle), bundle.title, bundle)
