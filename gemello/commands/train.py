"""``gemello train DATA --name NAME``: a folder of images in, a published model out."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gemello.commands.backbones import stored_backbone
from gemello.commands.errors import OptionInvalid
from gemello.commands.options import Json, Store, model_store
from gemello.commands.publishing import Cache, cache_folder, dotted, show_published
from gemello.commands.tensorflow import load_tensorflow


def register(app: typer.Typer) -> None:
    @app.command()
    def train(
        data: Annotated[
            Path,
            typer.Argument(
                help="Folder with one folder per class, or a CSV path,label[,split][,group]."
            ),
        ],
        name: Annotated[str, typer.Option(help="Name to publish the model under.")],
        config: Annotated[
            Path | None,
            typer.Option(
                help="TOML file of options, such as those in configs/; see docs/training.md."
            ),
        ] = None,
        backbone: Annotated[
            str | None,
            typer.Option(
                help="Pretrained network, of which efficientnet_lite0 comes with the package; or a model "
                "of the store, such as an imported one, whose features get a trained head."
            ),
        ] = None,
        weights: Annotated[
            Path | None, typer.Option(help="Weights file for the backbone, instead of a download.")
        ] = None,
        epochs: Annotated[int | None, typer.Option(help="Epochs of fine-tuning.")] = None,
        seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
        settings: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KEY=VALUE", help="Any other option, over --config."),
        ] = None,
        resume: Annotated[
            bool,
            typer.Option(
                "--resume", help="Continue after the last finished epoch of an interrupted run."
            ),
        ] = False,
        force: Annotated[
            bool,
            typer.Option(
                "--force",
                help="Publish a model that is worse than untrained features, or could not be "
                "measured; it is not activated.",
            ),
        ] = False,
        strategy: Annotated[
            str, typer.Option(help="Devices: none, mirrored or multi_worker (tf.distribute).")
        ] = "none",
        store: Store = None,
        cache: Cache = None,
        as_json: Json = False,
    ) -> None:
        """Train an embedding model on your own images and publish it.

        Examples: `gemello train photos/ --name mine`, `gemello train photos/ --name mine --epochs 0`
        for a head on frozen features alone, `gemello train photos/ --name mine --backbone dino`
        after `gemello models import … --name dino`, and `gemello train … --resume` after an interruption.
        """
        from trainer.config import head_alone, merged, nested, read_config, read_config_file

        base = stored_backbone(backbone, model_store(store))
        given = {
            "network.backbone": None if base else backbone,
            "network.weights": str(weights) if weights else None,
            "epochs": epochs,
            "seed": seed,
        }
        chosen = {
            **dotted(settings),
            **{name: value for name, value in given.items() if value is not None},
        }
        from_file = read_config_file(config) if config else {}
        checked = read_config(merged(from_file, nested(chosen)))
        if base:
            checked = head_alone(checked, base.title, base.manifest.dimension)
        # Loading it takes seconds: a misspelt option is refused before.
        load_tensorflow()
        from trainer.errors import WorkerDone
        from trainer.run import STRATEGIES
        from trainer.run import train as run

        if strategy not in STRATEGIES:
            raise OptionInvalid("--strategy", f"expected one of {', '.join(STRATEGIES)}")
        try:
            bundle = run(
                data,
                name,
                checked,
                model_store(store),
                cache or cache_folder(),
                backbone=base,
                resume=resume,
                force=force,
                strategy=strategy,
            )
        except WorkerDone:
            typer.echo("this worker is done; the first one publishes")
            return
        except KeyboardInterrupt:
            sys.stderr.write(
                "gemello: interrupted; run the same command with --resume to continue after "
                "the last finished epoch.\n"
            )
            sys.stderr.flush()
            # Not by SystemExit: TensorFlow's threads are still at work while the interpreter would take itself down.
            os._exit(130)
        show_published(bundle, as_json)
