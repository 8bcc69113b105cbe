"""Values and paths as text."""

from dataclasses import replace
from pathlib import Path

from trainer.evaluate.measurement import Measurement
from trainer.report.text import common_folder, shown, table_rows


def test_nested_values_and_folders_as_text(measured: Measurement) -> None:
    assert table_rows({"a": {"b": 1234, "c": [0.5, None]}, "d": True}) == [
        ("a › b", "1,234"),
        ("a › c", "0.5, –"),
        ("d", "yes"),
    ]
    folder = common_folder(measured.files)
    assert shown(measured.paths[0], folder) == "class000/image00.png"
    mixed = replace(measured, gallery_paths=[Path("relative/a.png")])
    assert common_folder(mixed.files) == ""
    assert shown(Path("/a/b.png"), "") == "/a/b.png"
