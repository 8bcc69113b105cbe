"""Reading class folders and CSVs, and dividing classes so that none is in two splits."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.drawings import draw_classes
from trainer.data.records import (
    Record,
    divide,
    numbered,
    of_split,
    read_data,
    without_single_images,
)
from trainer.errors import DataError


def records(*labels: str) -> list[Record]:
    return [Record(Path(f"{label}-{i}.png"), label) for i, label in enumerate(labels)]


def test_a_folder_is_read_by_its_class_folders(tmp_path: Path) -> None:
    draw_classes(tmp_path, 3, 2)
    (tmp_path / "stray.png").write_bytes(b"not in a class")
    (tmp_path / "class000" / "notes.txt").write_text("no image")
    found = read_data(tmp_path)
    assert [r.label for r in found] == ["class000"] * 2 + ["class001"] * 2 + ["class002"] * 2


def test_a_csv_gives_paths_labels_and_splits(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("label,path,split\na,x/1.png,train\nb,2.png,\n", encoding="utf-8-sig")
    assert read_data(file) == [
        Record(tmp_path / "x/1.png", "a", "train"),
        Record(tmp_path / "2.png", "b", None),
    ]
    file.write_text("path,label,group\n1.png,a,red\n2.png,b,\n")
    assert [(r.label, r.group) for r in read_data(file)] == [("a", "red"), ("b", None)]


def test_queries_and_gallery_are_read_as_their_union(tmp_path: Path) -> None:
    draw_classes(tmp_path / "queries", 2, 1)
    draw_classes(tmp_path / "gallery", 3, 2)
    (tmp_path / "notes").mkdir()
    found = read_data(tmp_path)
    assert sorted(r.label for r in found) == sorted(
        ["class000"] * 3 + ["class001"] * 3 + ["class002"] * 2
    )
    assert {r.path.relative_to(tmp_path).parts[0] for r in found} == {"queries", "gallery"}


@pytest.mark.parametrize("other", ["queries/a.png", "third/class/a.png"])
def test_classes_that_happen_to_be_called_queries_and_gallery(tmp_path: Path, other: str) -> None:
    draw_classes(tmp_path / "queries", 2, 1)
    draw_classes(tmp_path / "gallery", 2, 1)
    (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / other).write_bytes(b"one more")
    assert {"queries", "gallery"} <= {r.label for r in read_data(tmp_path)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,label\na,b\n", "columns path and label"),
        ("path,label\n", "lists no images"),
        ("path,label\nx.png,\n", "line 2: path or label is missing"),
        ("path,label,split\nx.png,a,dev\n", "line 2: split 'dev'"),
        ('path,label\n"two\nlines.png",a\n\nx.png,\n', "line 5: path or label is missing"),
        ("path,label\na,b.png,c\n", "line 2 has more fields than the header"),
        ("path,label\nx\0.png,a\n", "line 2: path or label holds a zero byte"),
        ('path,label\n"' + "x" * 200_000, "not a CSV"),
    ],
)
def test_a_wrong_csv_is_refused_in_a_sentence(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "data.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        read_data(file)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\xff", "path,label\né,a".encode("latin-1")])
def test_a_file_that_is_no_text_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"data\.csv is not a CSV in UTF-8"):
        read_data(file)


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images in class folders"):
        read_data(tmp_path)
    (tmp_path / "flat.png").write_bytes(b"in no class")
    with pytest.raises(DataError, match=r"lie in no class folder; expected .*/CLASS/IMAGE"):
        read_data(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        read_data(tmp_path / "none")


def test_no_class_is_in_two_splits_and_shares_hold() -> None:
    labels = [f"class{i}" for i in range(100) for _ in range(3)]
    divided = divide(records(*labels), 0.2, 0.1)
    sets = {
        split: {r.label for r in of_split(divided, split)}
        for split in ("train", "validation", "test")
    }
    assert [len(s) for s in sets.values()] == [70, 20, 10]
    assert not sets["train"] & sets["validation"]
    assert not sets["train"] & sets["test"]
    assert not sets["validation"] & sets["test"]
    assert divided == divide(records(*labels), 0.2, 0.1)
    assert divided != divide(records(*labels), 0.2, 0.1, seed=1)


def test_classes_that_come_later_move_only_those_at_the_border() -> None:
    labels = [f"class{i}" for i in range(100)]
    before = {r.label: r.split for r in divide(records(*labels), 0.2, 0.1)}
    after = {r.label: r.split for r in divide(records(*labels, "new"), 0.2, 0.1)}
    assert sum(after[label] != split for label, split in before.items()) <= 2


def test_given_splits_are_kept() -> None:
    given = [
        Record(Path("1"), "a", "test"),
        Record(Path("2"), "a"),
        *records("b", "b", "c", "c", "d", "d"),
    ]
    divided = divide(given, 0, 0)
    assert [r.split for r in divided] == ["test", "test", *["train"] * 6]


def test_a_torn_class_is_refused() -> None:
    torn = [Record(Path("1"), "a", "test"), Record(Path("2"), "a", "train"), *records("b", "c")]
    with pytest.raises(DataError, match="'a' is in two splits"):
        divide(torn, 0, 0)


def test_few_classes_are_all_trained_on() -> None:
    divided = divide(records("a", "a", "b", "b"), 0.4, 0.4)
    assert {r.split for r in divided} == {"train"}
    with pytest.raises(DataError, match="at least two"):
        divide(records("a", "a"), 0.1, 0.1)


def test_a_class_of_one_image_is_left_out_and_counted() -> None:
    kept, single = without_single_images(records("a", "b", "b", "c"))
    assert ([r.label for r in kept], single) == (["b", "b"], 2)
    assert numbered(records("x", "a", "x")) == [1, 0, 1]


def grouped(*pairs: tuple[str, str | None]) -> list[Record]:
    return [Record(Path(f"{i}.png"), label, None, group) for i, (label, group) in enumerate(pairs)]


def test_classes_that_share_a_group_stay_together() -> None:
    # Classes 0 and 1 share a group, 1 and 2 another; so it goes on in threes.
    pairs: list[tuple[str, str | None]] = []
    for first in range(0, 90, 3):
        a, b, c = (f"class{first + i:02d}" for i in range(3))
        pairs += [(a, f"x{a}"), (b, f"x{a}"), (b, f"y{a}"), (c, f"y{a}"), (c, None)]
    for seed in range(5):
        divided = divide(grouped(*pairs), 0.2, 0.1, seed)
        split_of = {r.label: r.split for r in divided}
        for first in range(0, 90, 3):
            assert len({split_of[f"class{first + i:02d}"] for i in range(3)}) == 1
        counts = Counter(split_of.values())
        assert counts == {"train": 63, "validation": 18, "test": 9}
        groups: dict[str, set[str | None]] = {}
        for record in divided:
            if record.group:
                groups.setdefault(record.group, set()).add(record.split)
        assert all(len(splits) == 1 for splits in groups.values())


def test_classes_without_groups_are_divided_as_if_there_were_none() -> None:
    labels = [f"class{i}" for i in range(50) for _ in range(2)]
    own = grouped(*((label, f"group of {label}") for label in labels))
    assert [r.split for r in divide(own, 0.2, 0.2)] == [
        r.split for r in divide(records(*labels), 0.2, 0.2)
    ]


def test_a_group_in_all_classes_leaves_nothing_to_hold_out() -> None:
    everywhere = grouped(*((f"class{i}", "one day") for i in range(20)))
    assert {r.split for r in divide(everywhere, 0.2, 0.2)} == {"train"}


def test_a_given_split_takes_its_group_along_and_must_not_tear_it() -> None:
    held = [
        Record(Path("1"), "a", "test", "g"),
        Record(Path("2"), "b", None, "g"),
        *records("c", "d"),
    ]
    assert [r.split for r in divide(held, 0, 0)] == ["test", "test", "train", "train"]
    torn = [*held[:1], Record(Path("2"), "b", "train", "g"), *records("c", "d")]
    with pytest.raises(DataError, match="'a' and 'b' are joined by a group but in two splits"):
        divide(torn, 0, 0)
