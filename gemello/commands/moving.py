"""``gemello gallery export`` and ``import``: a whole gallery as one file."""

from pathlib import Path
from typing import Annotated

import typer

from gemello.client import Client
from gemello.client.calls.call import OnConflict
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_outcome
from gemello.gallery_file import export_gallery, import_gallery, read_summary
from gemello.progress import track
from gemello.terminal import Terminal


def add_to(gallery: typer.Typer) -> None:
    @gallery.command("export")
    def export(
        target: Annotated[Path, typer.Argument(help="File to write.")],
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Write the whole gallery to one file. Exits with 1 when an image is damaged and left out.

        Example: `gemello gallery export photos.zip`
        """
        with Client(url, key=key) as client:
            total = client.stats().images
            with track("exporting", total) as bar:
                exported = export_gallery(client, target, bar.set)
        console = Terminal(stderr=True)
        for image_id, reason in exported.damaged.items():
            console.print(f"{image_id}: {reason}", style="red", markup=False, soft_wrap=True)
        document = {
            "images": exported.images,
            "file": str(target),
            "damaged": list(exported.damaged),
        }
        print_outcome(as_json, document, f"{exported.images} images in {target}")
        if exported.damaged:
            raise typer.Exit(1)

    @gallery.command("import")
    def import_(
        source: Annotated[Path, typer.Argument(help="File that `gallery export` wrote.")],
        on_conflict: Annotated[
            OnConflict, typer.Option(help="What to do with an id that is already there.")
        ] = "skip",
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Add an exported gallery. Exits with 1 when an image was refused.

        Its vectors are taken over where the service has the same model. Example: `gemello gallery import
        photos.zip`
        """
        summary = read_summary(source)
        counts: dict[str, int] = {}
        console = Terminal(stderr=True)
        with Client(url, key=key) as client, track("importing", summary.images) as advance:
            for image_id, item in import_gallery(client, source, on_conflict, advance):
                counts[item.status] = counts.get(item.status, 0) + 1
                if item.error is not None:
                    console.print(f"{image_id}: {item.error.detail}", style="red", markup=False)
        outcome = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        print_outcome(as_json, counts, f"{outcome or 'nothing to add'}.")
        if counts.get("failed"):
            raise typer.Exit(1)
