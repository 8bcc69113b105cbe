"""``gemello report``: the page that shows what a published model learned."""

import shutil
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from gemello.commands.errors import OptionInvalid
from gemello.commands.options import Json, Store, model_store
from gemello.commands.outputs import check_output, print_outcome


def register(app: typer.Typer) -> None:
    @app.command()
    def report(
        model: Annotated[str, typer.Argument(help="name or name/version")] = "default",
        out: Annotated[
            Path | None, typer.Option(help="Copy the page here; it needs no other file.")
        ] = None,
        show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Say where a model's report is, copy it, or open it.

        `gemello train` made it from the model's own test classes; for any other images there is
        `gemello evaluate --report`. Examples: `gemello report mine --open`, `gemello report mine --out
        mine.html`
        """
        from app.bundle.model_store import resolve

        check_output("--out", out, ".html")
        bundle = resolve(model_store(store), model, verify_files=False)
        page = bundle.path / "report" / "index.html"
        if not page.is_file():
            raise OptionInvalid(
                model,
                f"{bundle.title} has no report; make one with `gemello evaluate --model "
                f"{bundle.title} --data FOLDER --report FILE.html`",
            )
        if out:
            page = _copied(page, out)
        if show:
            webbrowser.open(page.resolve().as_uri())
        print_outcome(as_json, {"model": bundle.title, "report": str(page)}, str(page))


def _copied(page: Path, out: Path) -> Path:
    try:
        return Path(shutil.copyfile(page, out))
    except OSError as exc:
        raise OptionInvalid("--out", f"{out} cannot be written ({exc.strerror})") from exc
