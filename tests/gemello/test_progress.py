"""The one progress bar: what it shows of a known and of an unknown total."""

import io

from rich.console import Console

from gemello.progress import track


def screen() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_is_done_is_shown_of_how_many() -> None:
    console = screen()
    with track("indexing", 8, on=console) as advance:
        advance(3)
        advance(5)
    assert "indexing" in shown(console)
    assert "8/8" in shown(console)
    assert "images/s" in shown(console)


def test_a_total_can_become_known() -> None:
    console = screen()
    with track("waiting", on=console, unit="files") as bar:
        bar.set(2, None)
        bar.set(4, 10)
    assert "4/10" in shown(console).replace(" ", "")
    assert "files/s" in shown(console)
