"""Which files were read before."""

from dataclasses import replace
from pathlib import Path

from app.storage.local.database import Database
from app.storage.local.indexed_files import IndexedFile, IndexedFiles


def test_a_file_is_known_by_path_size_and_date(tmp_path: Path) -> None:
    database = Database(tmp_path / "gallery.sqlite3")
    known, file = IndexedFiles(database), IndexedFile("/photos/a.png", 100, 5)
    assert not known.knows(file)
    known.remember([file])
    assert known.knows(file)
    assert not known.knows(replace(file, size=101))
    assert not known.knows(replace(file, modified_ns=6))
    known.remember([replace(file, size=101)])
    assert known.knows(replace(file, size=101))
    assert not known.knows(file)
    database.close()
