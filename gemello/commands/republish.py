"""``gemello republish DATA --model NAME``: a trained model with other ``publish.serving_*`` options."""

from pathlib import Path
from typing import Annotated

import typer

from gemello.commands.options import Json, Store, model_store
from gemello.commands.publishing import Cache, cache_folder, dotted, show_published
from gemello.commands.tensorflow import load_tensorflow


def register(app: typer.Typer) -> None:
    @app.command()
    def republish(
        data: Annotated[Path, typer.Argument(help="What the model was trained with.")],
        model: Annotated[str, typer.Option(help="Published model: name or name/version.")],
        settings: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KEY=VALUE", help="A serving option that changes."),
        ] = None,
        store: Store = None,
        cache: Cache = None,
        as_json: Json = False,
    ) -> None:
        """Publish a trained model once more, without training, with other serving options.

        `publish.serving_size` and `publish.serving_keep_unlike` can change; figures, calibration and report are made
        anew. Example: `gemello republish photos/ --model mine --set
        publish.serving_size=256`
        """
        changes = dotted(settings)
        folder = model_store(store)
        load_tensorflow()
        from trainer.publish.republication import republish as run

        bundle = run(data, model, changes, folder, cache or cache_folder())
        show_published(bundle, as_json)
