"""Which pictures the default model's checks search among which, and what is said of missing ones."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.default_model.checks import Check, find_checks
from benchmarks.default_model.edited_copies import EDITS
from benchmarks.default_model.sources import Sources, sources
from tests.support.images import encode, photo, picture


def put(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(seed))


@pytest.fixture
def where(tmp_path: Path) -> Sources:
    found = sources(tmp_path)
    for seed, key in enumerate(("1f600", "1f601")):
        put(found.emoji / "queries" / key / "twitter.png", seed)
        put(found.emoji / "gallery" / key / "google.png", seed)
        put(found.emoji / "gallery" / key / "fluent.png", seed)
    icon = encode(photo(9, 95, 60))
    (found.clipart / "icons").mkdir(parents=True)
    (found.clipart / "icons" / "icon.png").write_bytes(icon)
    for seed in range(5):
        put(found.clipart / "animals" / f"{seed}.png", seed)
    for seed, kind in enumerate(("animals/birds", "animals/fish", "town")):
        put(found.stamps / kind / "a.png", seed)
    for seed, path in enumerate(("train/Fruit/Gala/a", "test/Fruit/Apple/Gala/b")):
        put(found.grocery / "dataset" / f"{path}.png", seed)
    for seed, part in enumerate(("train", "validation", "test")):
        put(found.clothing / part / "hat" / f"{part}.png", seed)
    # Ants are trained on, cups and lamps are not.
    for kind in ("ant", "cup", "BACKGROUND_Google", "Faces_easy"):
        put(found.things / "101_ObjectCategories" / kind / "only.png")
    for number in range(27):
        put(found.things / "101_ObjectCategories" / "lamp" / f"{number}.png")
    return found


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_all_checks_are_made_where_the_pictures_are(where: Sources) -> None:
    checks, missing = find_checks(where, each=700, seed=0)
    assert missing == []
    emoji = named(checks, "emoji")
    assert emoji.gallery is not None
    assert [p.label for p in emoji.queries] == ["1f600", "1f601"]
    assert [p.label for p in emoji.gallery] == ["1f600", "1f600", "1f601", "1f601"]
    stamps = named(checks, "photographs: stamps")
    assert stamps.gallery is None
    assert [p.label for p in stamps.queries] == ["animals/birds", "animals/fish", "town"]
    shop = named(checks, "photographs: grocery")
    assert shop.gallery is not None
    assert [p.path.name for p in shop.queries] == ["b.png"]
    assert [p.path.name for p in shop.gallery] == ["a.png"]
    assert {p.label for p in (*shop.queries, *shop.gallery)} == {"Gala"}
    clothes = named(checks, "photographs: clothing")
    assert clothes.gallery is not None
    assert [p.path.name for p in clothes.queries] == ["test.png", "validation.png"]
    assert [p.path.name for p in clothes.gallery] == ["train.png"]
    assert {p.label for p in (*clothes.queries, *clothes.gallery)} == {"hat"}
    things = named(checks, "photographs: things")
    assert things.gallery is None
    assert Counter(p.label for p in things.queries) == {"cup": 1, "lamp": 25}


def test_each_original_has_one_copy_for_every_edit(where: Sources) -> None:
    check = named(find_checks(where, each=700, seed=0)[0], "edited copies")
    assert check.gallery is not None
    originals, bystanders = check.gallery[:9], check.gallery[9:]
    assert len({p.label for p in originals}) == 5 + 1 + 3
    assert {p.path for p in bystanders} == set(where.emoji.rglob("*.png"))
    assert not {p.label for p in bystanders} & {p.label for p in check.queries}
    for original in originals:
        copies = [p for p in check.queries if p.label == original.label]
        assert [p.edit for p in copies] == list(EDITS)
        assert {p.path for p in copies} == {original.path}
        assert all(p.read() != original.read() for p in copies)
    assert {part for p in check.queries for part in p.parts} == {
        *EDITS,
        "clip art",
        "photographs",
        "cut-out photographs",
    }
    assert not any("train" in p.path.parts for p in originals)


def test_few_originals_of_each_folder_are_drawn_by_the_seed(where: Sources) -> None:
    def drawn(seed: int) -> list[bytes]:
        check = named(find_checks(where, each=2, seed=seed)[0], "edited copies")
        assert check.gallery is not None
        originals = [p for p in check.gallery if not p.path.is_relative_to(where.emoji)]
        folders = Counter(p.path.parent.name for p in originals)
        assert folders == {"animals": 2, "Gala": 1, "birds": 1, "fish": 1, "town": 1}
        return [p.read() for p in check.queries]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_what_is_missing_is_named_with_its_command(where: Sources) -> None:
    gone = where.grocery / "dataset" / "test" / "Fruit" / "Apple" / "Gala" / "b.png"
    gone.unlink()
    (where.stamps / "town" / "a.png").unlink()
    (where.clothing / "test" / "hat" / "test.png").unlink()
    checks, missing = find_checks(where, each=700, seed=0)
    assert [check.name for check in checks] == [
        "emoji",
        "photographs: stamps",
        "photographs: things",
    ]
    *shop, clothes = missing
    assert [item.check for item in shop] == ["edited copies", "photographs: grocery"]
    assert all("git clone" in str(item) and "dataset/test" in str(item) for item in shop)
    assert clothes.check == "photographs: clothing"
    assert str(clothes).endswith(f"clothing-dataset-small {where.clothing}")


def test_nothing_at_all_is_missing_everything(tmp_path: Path) -> None:
    checks, missing = find_checks(sources(tmp_path), each=700, seed=0)
    assert checks == []
    assert {item.check for item in missing} == {
        "emoji",
        "edited copies",
        "photographs: stamps",
        "photographs: grocery",
        "photographs: clothing",
        "photographs: things",
    }
    told = "\n".join(map(str, missing))
    assert "examples/default_model/fetch.py" in told
