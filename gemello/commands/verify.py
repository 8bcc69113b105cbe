"""``gemello verify``: hold everything in a data folder to its checksums."""

from dataclasses import asdict

import typer

from gemello.commands.options import DataDir, Json, data_dir
from gemello.commands.outputs import print_outcome
from gemello.progress import track
from gemello.terminal import Terminal


def register(app: typer.Typer) -> None:
    @app.command()
    def verify(folder: DataDir = None, as_json: Json = False) -> None:
        """Check database, journal, records, vectors and images of a gallery; the service may run.

        Nothing is changed. Exits with 1 when something is damaged. Example: `gemello verify`
        """
        from app.storage.local.upkeep.verification import verify as found

        chosen = data_dir(folder)
        with track("verifying", 1) as bar:
            damage = list(found(chosen, bar.set))
        console = Terminal(stderr=True)
        for each in damage:
            console.print(str(each), style="red", markup=False, soft_wrap=True)
        outcome = f"{len(damage):,} damaged" if damage else "nothing is damaged"
        print_outcome(
            as_json, {"damage": [asdict(each) for each in damage]}, f"{chosen}: {outcome}."
        )
        if damage:
            raise typer.Exit(1)
