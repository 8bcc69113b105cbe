"""``gemello train DATA --name NAME``: a folder of images in, a published model out."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.errors import ParameterInvalid
from gemello.commands.options import Json, Store, model_store
from gemello.commands.outputs import print_json
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
                help="TOML file of knobs, such as those in configs/; see docs/training.md."
            ),
        ] = None,
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
            typer.Option("--set", metavar="KEY=VALUE", help="Any other knob, over --config."),
        ] = None,
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on after the last epoch that was finished.")
        ] = False,
        strategy: Annotated[
            str, typer.Option(help="Devices: none, mirrored or multi_worker (tf.distribute).")
        ] = "none",
        store: Store = None,
        cache: Annotated[
            Path | None, typer.Option(help="Folder for decoded images; default ~/.cache/gemello.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Train an embedding model on your own images and publish it.

        Examples: `gemello train photos/ --name mine`, `gemello train photos/ --name mine --config
        configs/head_only.toml --set margin=0.15`, and `gemello train … --resume` after an interruption.
        """
        from trainer.config import read_config, read_config_file

        given = {"backbone": backbone, "epochs": epochs, "seed": seed}
        given["weights"] = str(weights) if weights else None
        chosen = {
            **(read_config_file(config) if config else {}),
            **_parsed(settings or []),
            **{key: value for key, value in given.items() if value is not None},
        }
        knobs = read_config(chosen)
        # Loading it takes seconds: what is misspelt above is told at once.
        load_tensorflow()
        from trainer.errors import WorkerDone
        from trainer.run import STRATEGIES
        from trainer.run import train as run

        if strategy not in STRATEGIES:
            raise ParameterInvalid("--strategy", f"expected one of {', '.join(STRATEGIES)}")
        try:
            bundle = run(
                data,
                name,
                knobs,
                model_store(store),
                cache or _cache_folder(),
                resume=resume,
                strategy=strategy,
            )
        except WorkerDone:
            typer.echo("this worker is done; the first one publishes")
            return
        except KeyboardInterrupt:
            sys.stderr.write(
                "gemello: interrupted; the same command with --resume goes on after the last "
                "finished epoch.\n"
            )
            raise SystemExit(130) from None
        report, found = bundle.path / "report" / "index.html", bundle.manifest.evaluation
        if as_json:
            print_json(
                {
                    "model": bundle.title,
                    "id": bundle.manifest.model_id,
                    "folder": str(bundle.path),
                    "report": str(report) if report.is_file() else None,
                    "metrics": found.metrics if found else None,
                }
            )
            return
        typer.echo(f"published {bundle.title} in {bundle.path}")
        if report.is_file():
            typer.echo(f"its report: {report}")
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
