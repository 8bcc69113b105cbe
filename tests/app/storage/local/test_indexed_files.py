"""Which files were read before."""

from dataclasses import replace
from pathlib import Path

from app.storage.local.database import Database
from app.storage.local.indexed_files import Source, Sources


def test_a_file_is_known_by_path_size_and_date(tmp_path: Path) -> None:
    database = Database(tmp_path / "gallery.sqlite3")
    sources, source = Sources(database), Source("/photos/a.png", 100, 5)
    assert not sources.knows(source)
    sources.remember([source])
    assert sources.knows(source)
    assert not sources.knows(replace(source, size=101))
    assert not sources.knows(replace(source, modified_ns=6))
    sources.remember([replace(source, size=101)])
    assert sources.knows(replace(source, size=101))
    assert not sources.knows(source)
    database.close()
