"""``gemello health``: ask a running service whether it is ready."""

import typer

from gemello.client import Client
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_json


def register(app: typer.Typer) -> None:
    @app.command()
    def health(url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """Ask whether the service is ready; exits with 1 when it is not.

        Example: `gemello health`
        """
        with Client(url, key=key, timeout_s=5) as client:
            answer = client.health()
        if as_json:
            print_json(answer)
            return
        model = answer.model
        typer.echo(f"ready: {answer.gallery.images} images, model {model.name}/{model.version}")
