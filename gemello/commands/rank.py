"""``gemello rank``: for every query image, the gallery sorted by distance."""

from pathlib import Path
from typing import Annotated

import typer

from gemello.commands.encoders import Model, published
from gemello.commands.options import Json, Store
from gemello.commands.outputs import check_output, print_outcome


def register(app: typer.Typer) -> None:
    @app.command()
    def rank(
        queries: Annotated[Path, typer.Option(help="Folder of query images.")],
        gallery: Annotated[Path, typer.Option(help="Folder of images to sort.")],
        out: Annotated[Path, typer.Option(help="JSON file to write.")],
        model: Model = None,
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Write, for every query image, the whole gallery sorted by distance.

        Example: `gemello rank --queries q/ --gallery g/ --out ranks.json --model mine`
        """
        check_output("--out", out)
        encoder = published(model or "default", store).encoder
        from gemello.image_folder import image_files
        from gemello.progress import say, track
        from trainer.evaluate.rank import rank as run

        total = sum(
            1 for folder in (queries, gallery) if folder.is_dir() for _ in image_files(folder)
        )
        with track("embedding", total) as advance:
            bad = run(encoder, queries, gallery, out, advance)
        for path, reason in bad.items():
            say(f"left out {path}: {reason}")
        left_out = {str(path): why for path, why in bad.items()}
        print_outcome(as_json, {"file": str(out), "left_out": left_out}, f"wrote {out}")
