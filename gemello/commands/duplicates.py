"""``gemello duplicates``: near-duplicates in the gallery of a running service."""

from typing import Annotated

import typer
from rich.table import Table

from gemello.client import Client
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_json
from gemello.terminal import Terminal


def register(app: typer.Typer) -> None:
    @app.command()
    def duplicates(
        max_distance: Annotated[
            float, typer.Option(min=0, help="Images are joined by steps no longer than this.")
        ] = 0.25,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="Most groups to show.")] = 100,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Show groups of images that are nearly the same.

        Example: `gemello duplicates --max-distance 0.1`
        """
        with Client(url, key=key, timeout_s=3600) as client:
            page = client.duplicates(max_distance=max_distance, limit=limit)
        if as_json:
            print_json(page)
            return
        if not page.groups:
            typer.echo("No near-duplicates.")
            return
        table = Table("group", "id", "label", "filename")
        for number, group in enumerate(page.groups, start=1):
            for image in group.images:
                table.add_row(str(number), image.id, image.label or "", image.filename or "")
            if group.truncated:
                table.add_row(str(number), f"… {group.size:,} in all", "", "")
            table.add_section()
        Terminal().print(table, markup=False)
        if page.next_offset is not None:
            typer.echo(f"{page.total} groups in all; see --limit.")
