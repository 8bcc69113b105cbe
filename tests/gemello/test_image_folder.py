"""Which files of a folder are images, and their labels."""

import os
from pathlib import Path

import pytest

from gemello.image_folder import SUFFIXES, image_files, label_of, shown


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_images_come_in_order_and_hidden_ones_stay_out(tmp_path: Path) -> None:
    images = ["b.png", "cats/a.PNG", "cats/old/c.jpeg", "dogs/d.webp"]
    hidden = [".x.png", ".git/e.png", "cats/.thumbnails/f.png"]
    touch(tmp_path, *images, *hidden, "notes.txt", "cats/png")
    names = [str(path.relative_to(tmp_path)) for path in image_files(tmp_path)]
    assert names == images


def test_what_would_never_end_is_passed_over_and_what_is_gone_is_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert [path.name for path in image_files(tmp_path)] == ["gone.png"]


@pytest.mark.parametrize("name", ["none", "file.png"])
def test_what_is_not_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "file.png")
    with pytest.raises(NotADirectoryError, match=f"{name} is not a folder"):
        list(image_files(tmp_path / name))


def test_the_first_folder_is_the_label() -> None:
    root = Path("/photos")
    assert label_of(root / "cats/old/a.png", root) == "cats"
    assert label_of(root / "a.png", root) is None


def test_a_name_that_is_not_unicode_can_be_shown(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    assert shown(name) == "caf�"
    assert label_of(tmp_path / name / "a.png", tmp_path) == "caf�"


def test_suffixes_are_lower_case() -> None:
    assert {suffix.lower() for suffix in SUFFIXES} == SUFFIXES
