"""Which model a command measures: a published one, or pretrained features without training."""

from pathlib import Path
from typing import Annotated

import typer

from app.encoder import Encoder
from app.errors import ParameterInvalid
from app.model_store import resolve
from app.runtimes import load_encoder
from gemello.commands.options import model_store
from gemello.commands.tensorflow import load_tensorflow

Model = Annotated[str | None, typer.Option(help="Published model: name or name/version.")]
Backbone = Annotated[str | None, typer.Option(help="Pretrained network, with --untrained.")]
Untrained = Annotated[
    bool, typer.Option("--untrained", help="Measure the backbone's own features, untrained.")
]
Weights = Annotated[Path | None, typer.Option(help="Weights file for the backbone.")]
Size = Annotated[int, typer.Option(help="Input side in pixels, with --untrained.")]


def chosen_encoder(
    model: str | None,
    backbone: str | None,
    untrained: bool,
    weights: Path | None,
    input_size: int,
    store: Path | None,
) -> tuple[Encoder, str]:
    """The encoder, and what to call it. Raises ``ParameterInvalid`` when the options disagree."""
    if untrained != (backbone is not None) or (untrained and model):
        raise ParameterInvalid(
            "--model", "give --model NAME, or --backbone NAME together with --untrained"
        )
    if backbone is None:
        bundle = resolve(model_store(store), model or "default")
        return load_encoder(bundle), bundle.title
    load_tensorflow()
    from trainer.config import read_config
    from trainer.keras_encoder import KerasEncoder
    from trainer.network import untrained as build

    given = {"backbone": backbone, "input_size": input_size}
    config = read_config({**given, **({"weights": str(weights)} if weights else {})})
    network = build(config.backbone, config.input_size, config.weights)
    return KerasEncoder(network), f"{backbone}, untrained, {input_size} px"
