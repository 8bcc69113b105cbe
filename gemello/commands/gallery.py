"""``gemello gallery``: the stored images of a running service."""

import json
from typing import Annotated

import typer
from rich.table import Table

from gemello.client import Client
from gemello.commands import moving, stored, upkeep
from gemello.commands.options import DEFAULT, FilterText, Json, Key, Url, parsed_filter
from gemello.commands.outputs import print_fields, print_json, print_outcome
from gemello.terminal import Terminal


def register(app: typer.Typer) -> None:
    gallery = typer.Typer(
        help="List, show, change, remove, export, import, back up and restore stored images.",
        no_args_is_help=True,
    )
    app.add_typer(gallery, name="gallery")

    @gallery.command("list")
    def list_images(
        filter_: FilterText = None,
        limit: Annotated[int, typer.Option(min=1, help="Most images to show.")] = 50,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """List images in order of arrival.

        Example: `gemello gallery list --filter '{"label": "shoe"}'`
        """
        with Client(url, key=key) as client:
            page = client.page(limit=min(limit, 1000), filter=parsed_filter(filter_))
            images = page.images
            while page.next_cursor and len(images) < limit:
                page = client.page(
                    limit=min(limit - len(images), 1000),
                    cursor=page.next_cursor,
                    filter=parsed_filter(filter_),
                )
                images = images + page.images
        if as_json:
            print_json(images)
            return
        table = Table("id", "label", "filename", "size", "metadata")
        for image in images:
            size = f"{image.width} × {image.height}"
            metadata = json.dumps(image.metadata, ensure_ascii=False) if image.metadata else ""
            table.add_row(image.id, image.label or "", image.filename or "", size, metadata)
        console = Terminal()
        console.print(table, markup=False)
        if page.next_cursor:
            console.print(f"More than {len(images)}; see --limit.", markup=False)

    @gallery.command()
    def stats(url: Url = DEFAULT, key: Key = None, as_json: Json = False) -> None:
        """Show counts over the whole gallery.

        Example: `gemello gallery stats`
        """
        with Client(url, key=key) as client:
            counts = client.stats()
        if as_json:
            print_json(counts)
            return
        print_fields(
            {
                "images": f"{counts.images:,} ({counts.searchable:,} searchable)",
                "bytes": f"{counts.bytes:,}",
                "labels": counts.labels,
                "formats": ", ".join(
                    f"{n} {name}" for name, n in sorted(counts.media_types.items())
                ),
                "oldest": counts.oldest,
                "newest": counts.newest,
                "jobs": counts.jobs,
                "damaged": f"{counts.damaged:,} (checked {counts.checked_at or 'not yet'})",
                "set aside": f"{counts.quarantined:,} files",
                "model": f"{counts.model.name}/{counts.model.version}",
            }
        )

    @gallery.command()
    def delete(
        ids: Annotated[list[str] | None, typer.Argument(metavar="ID")] = None,
        filter_: FilterText = None,
        yes: Annotated[bool, typer.Option("--yes", help="Don't ask first.")] = False,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Remove images, by id or by filter.

        Example: `gemello gallery delete sku-1 sku-2`
        """
        constraint = parsed_filter(filter_)
        if bool(ids) == (constraint is not None):
            raise typer.BadParameter("give ids, or --filter", param_hint="ID")
        with Client(url, key=key) as client:
            if constraint is not None:
                if not yes:
                    typer.confirm(
                        f"Remove all images with {json.dumps(constraint, ensure_ascii=False)}?",
                        abort=True,
                    )
                count = client.remove_where(constraint)
            else:
                for image_id in ids or []:
                    client.remove(image_id)
                count = len(ids or [])
        print_outcome(as_json, {"removed": count}, f"{count} removed.")

    stored.add_to(gallery)
    moving.add_to(gallery)
    upkeep.add_to(gallery)
