"""``gemello gallery backup``, ``restore``, ``rebuild`` and ``accept``: a data folder on this machine."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemello.commands.errors import CommandError
from gemello.commands.options import DataDir, Json, data_dir
from gemello.commands.outputs import print_outcome
from gemello.progress import track
from gemello.terminal import Terminal

if TYPE_CHECKING:
    from app.storage.damage import Damage

Yes = Annotated[bool, typer.Option("--yes", help="Don't ask first.")]


def add_to(gallery: typer.Typer) -> None:
    @gallery.command()
    def backup(
        target: Annotated[Path, typer.Argument(help="Folder to copy to; made if need be.")],
        folder: DataDir = None,
        as_json: Json = False,
    ) -> None:
        """Copy the gallery to another folder; the service may run. Exits with 1 when an image is damaged.

        What is there already is not copied again. Example: `gemello gallery backup /backups/gallery`
        """
        from app.storage.local.upkeep.backup import copy_gallery

        source = data_dir(folder)
        _differ(source, target)
        with _owned(target), track("copying", 1) as bar:
            damage = copy_gallery(source, target, advance=bar.set)
        _report(as_json, damage, f"{source} is copied to {target}")

    @gallery.command()
    def restore(
        source: Annotated[Path, typer.Argument(help="Folder that `gallery backup` wrote.")],
        folder: DataDir = None,
        as_json: Json = False,
    ) -> None:
        """Put a backup back; the service must not run. The old database is kept beside the new one.

        Example: `gemello gallery restore /backups/gallery`
        """
        from app.storage.local.upkeep.backup import copy_gallery

        target = data_dir(folder)
        _differ(source, target)
        with _owned(target), track("copying", 1) as bar:
            damage = copy_gallery(source, target, keep_old=True, advance=bar.set)
        _report(as_json, damage, f"{target} holds what {source} does")

    @gallery.command()
    def rebuild(folder: DataDir = None, as_json: Json = False) -> None:
        """Make the database anew from the stored images and what is known of them.

        The service must not run. The old database is kept beside the new one. Example: `gemello gallery
        rebuild`
        """
        from app.storage.local.upkeep.rebuild import rebuild as made_anew

        chosen = data_dir(folder)
        with _owned(chosen), track("reading", 1) as bar:
            made = made_anew(chosen, bar.set)
        console = Terminal(stderr=True)
        for image_id in made.lost:
            console.print(f"{image_id}: its image is gone", markup=False, soft_wrap=True)
        for digest in made.unreadable:
            console.print(f"{digest}: the file is not an image", markup=False, soft_wrap=True)
        document = {
            "images": made.images,
            "unknown": made.unknown,
            "lost": made.lost,
            "unreadable": made.unreadable,
            "old": made.old and str(made.old),
        }
        kept = f"; the old database is {made.old}" if made.old else ""
        print_outcome(
            as_json,
            document,
            f"{made.images:,} images have a record, {made.unknown:,} of them without label and "
            f"metadata{kept}.",
        )

    @gallery.command()
    def accept(folder: DataDir = None, yes: Yes = False, as_json: Json = False) -> None:
        """Go on with the database as it is, or an empty one, where the start was refused.

        Files without a record go to the quarantine. The service must not run. Example: `gemello gallery
        accept`
        """
        from app.storage.local.upkeep.acceptance import accept as accepted

        chosen = data_dir(folder)
        if not yes:
            typer.confirm(
                f"Go on with the database in {chosen}, without what it lacks?", abort=True
            )
        with _owned(chosen):
            images, unused = accepted(chosen)
        print_outcome(
            as_json,
            {"images": images, "quarantined": unused},
            f"{images:,} images; {unused:,} files without a record are in the quarantine.",
        )


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Keep a service out meanwhile. Raises ``SettingsError`` where one runs."""
    from app.storage.local.stores import own

    # As the service does: what is stored is this user's alone.
    os.umask(0o077)
    descriptor = own(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _differ(source: Path, target: Path) -> None:
    if source.resolve() == target.resolve():
        raise CommandError(f"{source} cannot be copied to itself; name another folder.")


def _report(as_json: bool, damage: "Sequence[Damage]", done: str) -> None:
    console = Terminal(stderr=True)
    for each in damage:
        console.print(str(each), style="red", markup=False, soft_wrap=True)
    outcome = f", but for {len(damage):,} damaged" if damage else ""
    print_outcome(as_json, {"damage": [asdict(each) for each in damage]}, f"{done}{outcome}.")
    if damage:
        raise typer.Exit(1)
