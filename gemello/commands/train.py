"""``gemello train DATA --name NAME``: a folder of images in, a published model out."""

import os
from pathlib import Path
from typing import Annotated

import typer

from app.errors import ParameterInvalid
from gemello.commands.options import Store, model_store
from gemello.commands.tensorflow import load_tensorflow


def register(app: typer.Typer) -> None:
    @app.command()
    def train(
        data: Annotated[
            Path,
            typer.Argument(help="Folder with one folder per class, or a CSV path,label[,split]."),
        ],
        name: Annotated[str, typer.Option(help="Name to publish the model under.")],
        backbone: Annotated[
            str | None,
            typer.Option(help="Pretrained network; efficientnet_lite0 comes with the package."),
        ] = None,
        weights: Annotated[
            Path | None, typer.Option(help="Weights file for the backbone, instead of a download.")
        ] = None,
        epochs: Annotated[int | None, typer.Option(help="Epochs of fine-tuning.")] = None,
        seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
        settings: Annotated[
            list[str] | None,
            typer.Option(
                "--set", metavar="KEY=VALUE", help="Any other knob; see docs/training.md."
            ),
        ] = None,
        store: Store = None,
        cache: Annotated[
            Path | None, typer.Option(help="Folder for decoded images; default ~/.cache/gemello.")
        ] = None,
    ) -> None:
        """Train an embedding model on your own images and publish it.

        Example: `gemello train photos/ --name mine --epochs 20 --set margin=0.15`
        """
        load_tensorflow()
        from trainer.config import read_config
        from trainer.run import train as run

        chosen = {**_parsed(settings or []), "backbone": backbone, "epochs": epochs, "seed": seed}
        chosen["weights"] = str(weights) if weights else None
        config = read_config({key: value for key, value in chosen.items() if value is not None})
        bundle = run(data, name, config, model_store(store), cache or _cache_folder())
        typer.echo(f"published {bundle.title} in {bundle.path}")
        typer.echo(f"serve it with: GEMELLO_MODEL={bundle.manifest.name} gemello serve")


def _parsed(settings: list[str]) -> dict[str, object]:
    parsed: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ParameterInvalid("--set", f"expected KEY=VALUE, got {setting!r}")
        parsed[key] = value
    return parsed


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gemello"
