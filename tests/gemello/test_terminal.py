"""What a hostile service or archive names does nothing to the terminal it is shown on."""

import pytest
from rich.table import Table

from gemello.terminal import Terminal, escaped

HOSTILE = "\x1b[31mred\x9b2J\u202egnp\r\x07"
HARMLESS = "\\x1b[31mred\\x9b2J\\u202egnp\\r\\x07"


def test_what_is_text_stays_as_it_is() -> None:
    for text in ("größe: 5 €", "👩\u200d🚀", "a\u3000b", "one\ntwo\tthree", "[red]"):
        assert escaped(text) == text
    assert escaped(HOSTILE) == HARMLESS
    assert escaped("\ud800\u2028") == "\\ud800\\u2028"


def test_hardening_lines_and_tables_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name")
    table.add_row(HOSTILE)
    Terminal().print(table, markup=False)
    Terminal(stderr=True).print(f"{HOSTILE}: no image", style="red", markup=False)
    shown = capsys.readouterr()
    assert HARMLESS in shown.out
    assert f"{HARMLESS}: no image" in shown.err
    assert all(line.isprintable() for line in f"{shown.out}{shown.err}".splitlines())
