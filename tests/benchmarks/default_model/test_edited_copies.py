"""The edits of the default model's check: what each does, on any picture, the same each time."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.default_model.edited_copies import (
    EDITS,
    SIDE,
    crop,
    edited,
    open_original,
    overlay,
    recolour,
    recompress,
    rotate,
    screenshot,
)
from tests.support.images import photo


def rngs() -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(20)]


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("size", [(96, 64), (1, 1), (3, 200), (200, 3)])
def test_every_edit_takes_any_picture_and_leaves_it_as_it_was(
    edit: str, size: tuple[int, int]
) -> None:
    original = photo(1, *size)
    before = original.tobytes()
    for rng in rngs():
        assert EDITS[edit](original, rng).mode == "RGB"
    assert original.tobytes() == before


@pytest.mark.parametrize("edit", EDITS)
def test_a_key_gives_one_copy_and_another_key_another(edit: str) -> None:
    original = photo(1, 192, 128)
    assert edited(original, edit, "a") == edited(original, edit, "a")
    assert edited(original, edit, "a") != edited(original, edit, "b")
    plain = io.BytesIO()
    original.save(plain, "JPEG", quality=95)
    assert edited(original, edit, "a") != plain.getvalue()


def test_a_crop_keeps_half_to_four_fifths_of_the_area() -> None:
    original = photo(1, 400, 300)
    parts = [crop(original, rng) for rng in rngs()]
    areas = [part.width * part.height / 120_000 for part in parts]
    assert 0.49 <= min(areas) < max(areas) <= 0.81


def test_a_turn_keeps_the_picture_in_white_or_black_corners() -> None:
    original = Image.new("RGB", (100, 80), (200, 0, 0))
    corners = set()
    for rng in rngs():
        turned = rotate(original, rng)
        assert turned.width > 100
        assert turned.height > 80
        corners.add(turned.getpixel((0, 0)))
        red = (np.asarray(turned) == (200, 0, 0)).all(axis=2).sum()
        assert red == pytest.approx(8000, rel=0.05)
    assert corners == {(255, 255, 255), (0, 0, 0)}


def test_recompressing_halves_the_sides() -> None:
    assert recompress(photo(1, 101, 60), np.random.default_rng(0)).size == (50, 30)


def test_recolouring_changes_colours_alone() -> None:
    edges = Image.new("RGB", (40, 40), (180, 90, 40))
    edges.paste((40, 90, 180), (20, 0, 40, 40))
    for rng in rngs():
        changed = np.asarray(recolour(edges, rng))
        assert changed.shape == (40, 40, 3)
        assert (changed[:, :20] == changed[0, 0]).all()
        assert (changed[:, 20:] == changed[0, 39]).all()
        assert tuple(changed[0, 0]) != (180, 90, 40)


def test_an_overlay_covers_a_part_only() -> None:
    original = photo(1, 300, 200)
    for rng in rngs():
        changed = (np.asarray(overlay(original, rng)) != np.asarray(original)).any(axis=2)
        assert 0.1 < changed.mean() < 0.35


def test_a_screenshot_holds_the_whole_picture() -> None:
    original = photo(1, 300, 200)
    for rng in rngs():
        page = screenshot(original, rng)
        assert page.width >= 300
        assert page.height >= 240
        found = min(
            np.abs(
                np.asarray(page.crop((x, y, x + 300, y + 200)), int) - np.asarray(original, int)
            ).mean()
            for x in [(page.width - 300) // 2]
            for y in range(page.height - 199)
        )
        assert found < 3


def test_an_original_is_upright_on_white_and_no_longer_than_the_limit(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (2 * SIDE, SIDE), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    opened = open_original(tmp_path / "clear.png")
    assert (opened.mode, opened.size) == ("RGB", (SIDE, SIDE // 2))
    assert opened.getextrema() == ((255, 255),) * 3

    exif = Image.Exif()
    exif[0x0112] = 6
    photo(1, 60, 40).save(tmp_path / "turned.jpg", exif=exif)
    assert open_original(tmp_path / "turned.jpg").size == (40, 60)
