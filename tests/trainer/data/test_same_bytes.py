from pathlib import Path

from trainer.data.same_bytes import same_bytes


def test_equal_files_are_grouped_and_the_rest_left_alone(tmp_path: Path) -> None:
    contents = {"a": b"one", "b": b"two", "c": b"one", "d": b"longer", "e": b"two", "f": b"one"}
    paths = [tmp_path / name for name in contents]
    for path in paths:
        path.write_bytes(contents[path.name])
    (tmp_path / "folder").mkdir()
    odd = [tmp_path / "gone", tmp_path / "folder"]
    assert same_bytes([*paths, *odd, paths[0]]) == [
        [tmp_path / "a", tmp_path / "c", tmp_path / "f"],
        [tmp_path / "b", tmp_path / "e"],
    ]
    assert same_bytes([]) == []
