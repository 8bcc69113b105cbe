"""``gemello gallery show``, ``image`` and ``set``: one stored image of a running service."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gemello.client import UNCHANGED, Client
from gemello.client.results import Image
from gemello.commands.options import DEFAULT, Json, Key, Url, parsed_object
from gemello.commands.outputs import (
    check_output,
    print_fields,
    print_json,
    print_outcome,
    write_bytes,
)

ImageId = Annotated[str, typer.Argument(metavar="ID")]


def add_to(gallery: typer.Typer) -> None:
    @gallery.command()
    def show(image_id: ImageId, url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """Show an image's record.

        Example: `gemello gallery show sku-1`
        """
        with Client(url, key=key) as client:
            _show(client.get(image_id), as_json)

    @gallery.command()
    def image(
        image_id: ImageId,
        out: Annotated[Path, typer.Option(help="File to write.")],
        size: Annotated[
            int | None,
            typer.Option(
                min=16,
                max=1024,
                help="Fetch a WebP whose longer side has this many pixels, rounded up to 64, 128, 256, 512 or 1024.",
            ),
        ] = None,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Fetch an image as it was uploaded, or a small one.

        Example: `gemello gallery image sku-1 --out shoe.jpg`
        """
        check_output("--out", out)
        with Client(url, key=key) as client:
            data = (
                client.content(image_id) if size is None else client.thumbnail(image_id, size=size)
            )
        write_bytes("--out", out, data)
        print_outcome(
            as_json,
            {"id": image_id, "file": str(out), "bytes": len(data)},
            f"{len(data):,} bytes in {out}",
        )

    @gallery.command("set")
    def change(
        image_id: ImageId,
        label: Annotated[str | None, typer.Option(help="The new label.")] = None,
        metadata: Annotated[
            str | None, typer.Option(help="JSON object to merge; null removes a key.")
        ] = None,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Change an image's label and metadata.

        Example: `gemello gallery set sku-1 --metadata '{"stock": false}'`
        """
        merged = parsed_object(metadata, "--metadata")
        with Client(url, key=key) as client:
            changed = client.update(
                image_id,
                label=UNCHANGED if label is None else label,
                metadata=UNCHANGED if merged is None else merged,
            )
        _show(changed, as_json)


def _show(image: Image, as_json: bool) -> None:
    if as_json:
        print_json(image)
        return
    print_fields(
        {
            "id": image.id,
            "label": image.label,
            "filename": image.filename,
            "image": f"{image.width} × {image.height}, {image.media_type}, {image.bytes:,} bytes",
            "added": image.created_at,
            "metadata": json.dumps(image.metadata, ensure_ascii=False) if image.metadata else None,
        }
    )
