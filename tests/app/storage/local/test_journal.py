"""The journal beside the database: what it holds, and what damage does to it."""

from pathlib import Path

import pytest

from app.errors import StorageFull
from app.storage.local import journal as module
from app.storage.local.journal import Entry, Journal
from tests.support.records import record


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def fill(journal: Journal) -> list[Entry]:
    entries = [
        Entry(1, [record("a", label="späte tür\n", metadata={"n": 1}), record("b")], []),
        Entry(2, [], ["a"]),
        Entry(3, [record("c", position=3)], []),
    ]
    for entry in entries:
        journal.append(entry)
    return entries


def test_what_was_written_is_read_again(journal: Journal) -> None:
    assert list(journal.entries()) == []
    assert journal.contents().last.number == 0
    entries = fill(journal)
    assert list(journal.entries()) == entries
    found = journal.contents()
    assert (found.last, found.records, found.damaged) == (entries[-1], 3, 0)


def test_a_flipped_bit_costs_one_line(journal: Journal) -> None:
    entries = fill(journal)
    data = bytearray(journal.path.read_bytes())
    second = data.index(b"\n") + 20
    data[second] ^= 1
    journal.path.write_bytes(data)
    assert list(journal.entries()) == [entries[0], None, entries[2]]
    assert journal.contents().damaged == 1


def test_a_line_that_was_cut_short_is_no_damage_and_swallows_nothing(journal: Journal) -> None:
    entries = fill(journal)
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-5])
    found = journal.contents()
    assert (found.last, found.damaged) == (entries[1], 0)
    journal.append(entries[2])
    assert journal.contents().last == entries[2]


def test_what_a_failed_transaction_wrote_is_taken_back(journal: Journal) -> None:
    entries = fill(journal)
    with pytest.raises(KeyError), journal.undone_on_failure():
        journal.append(Entry(4, [record("d")]))
        raise KeyError
    assert list(journal.entries()) == entries


def test_a_new_journal_takes_the_place_of_the_old_one(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal)
    before = journal.path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StorageFull):
        patch.setattr(module, "write_synced", full)
        journal.rewrite(3, [[record("c", position=3)]])
    assert journal.path.read_bytes() == before
    journal.rewrite(3, [[record("c", position=3)]])
    assert list(journal.entries()) == [Entry(3, [record("c", position=3)], [])]
