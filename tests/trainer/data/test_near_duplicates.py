"""Near-duplicates: what is one picture saved twice, and what only looks like it to a hash."""

import io
import time
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.images.prepare import Pixels, prepare
from trainer.data import near_duplicates
from trainer.data.near_duplicates import COLOUR, HAMMING, SIGNATURE, first_twins, signature

SAMPLE = sorted(Path("app/sample_gallery").rglob("*.png"))


def photograph(seed: int, side: int = 200) -> Image.Image:
    """Soft blobs of colour, with fine grain."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    grain = rng.normal(0, 6, (side, side, 3))
    pixels = np.asarray(soft.resize((side, side), Image.Resampling.BICUBIC)) + grain
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, form: str = "JPEG", quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.save(out, form, quality=quality)
    return out.getvalue()


def look_of(data: bytes, size: int = 128) -> np.ndarray:
    return np.array([signature(prepare(data, size).pixels)])


def test_the_hash_is_imagehash_s() -> None:
    pixels = prepare(saved(photograph(1)), 64).pixels
    expected = int(str(imagehash.phash(Image.fromarray(pixels))), 16)
    assert int(signature(pixels)["phash"]) == expected


@pytest.mark.parametrize("seed", range(10))
def test_a_picture_saved_again_is_found(seed: int) -> None:
    image = photograph(seed)
    original = look_of(saved(image, "PNG"), 160)
    again = {
        "poor JPEG": saved(image, quality=40),
        "half the size": saved(image.resize((100, 100), Image.Resampling.LANCZOS)),
        "a little brighter": saved(image.point(lambda value: round(value * 1.03))),
    }
    for change, data in again.items():
        assert first_twins(look_of(data, 128), original).tolist() == [0], change


def test_other_pictures_are_not_taken_for_copies() -> None:
    photographs = np.concatenate([look_of(saved(photograph(seed))) for seed in range(60)])
    assert (first_twins(photographs[:30], photographs[30:]) == -1).all()
    emoji = np.concatenate([look_of(path.read_bytes()) for path in SAMPLE[:60]])
    assert len(emoji) == 60
    assert (first_twins(emoji[::2], emoji[1::2]) == -1).all()


def test_one_drawing_in_two_colours_is_two_pictures() -> None:
    def flag(left: str, right: str) -> np.ndarray:
        image = Image.new("RGB", (128, 128), "white")
        pen = ImageDraw.Draw(image)
        pen.rectangle((10, 40, 50, 90), fill=left)
        pen.rectangle((70, 20, 110, 70), fill=right)
        return look_of(saved(image))

    red, blue = flag("#c00000", "#900000"), flag("#3030ff", "#1010d0")
    distance = np.bitwise_count(red["phash"] ^ blue["phash"])
    assert distance <= HAMMING, "the hash alone takes one for the other"
    assert first_twins(red, blue).tolist() == [-1]
    assert first_twins(red, flag("#c00000", "#900000")).tolist() == [0]


@pytest.mark.parametrize("kind", ["white", "noise", "fine stripes"])
def test_plain_pictures_are_left_alone(kind: str) -> None:
    pixels = np.full((64, 64, 3), 250, np.uint8)
    if kind == "noise":
        pixels = np.random.default_rng(0).integers(245, 255, (64, 64, 3), dtype=np.uint8)
    if kind == "fine stripes":
        pixels[:, ::2] = 40
    assert signature(pixels)["plain"]
    one = np.array([signature(pixels)])
    assert first_twins(one, one).tolist() == [-1]


def test_a_small_thing_on_white_is_not_plain() -> None:
    pixels: Pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[28:36, 28:36] = 0
    assert not signature(pixels)["plain"]


def signatures(count: int, seed: int) -> np.ndarray:
    """Hashes and colours drawn so that all kinds of pairs occur."""
    rng = np.random.default_rng(seed)
    found = np.zeros(count, SIGNATURE)
    base = np.random.default_rng(99).integers(0, 2**63, 4, dtype=np.uint64)
    flips = rng.random((count, 64)) < rng.choice([0.02, 0.06, 0.2], (count, 1))
    masks = np.packbits(flips, axis=1).view(np.uint64)[:, 0]
    found["phash"] = base[rng.integers(0, 4, count)] ^ masks
    found["cells"] = 100 + rng.integers(0, 18, (count, 1, 1, 1))
    found["plain"] = rng.random(count) < 0.1
    return found


@pytest.mark.parametrize("block", [1, 50, 1 << 20])
def test_twins_equal_a_naive_loop(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "_BLOCK", block)
    mine, theirs = signatures(70, 1), signatures(40, 2)
    expected = []
    for a in mine:
        twins = [
            place
            for place, b in enumerate(theirs)
            if not a["plain"]
            and not b["plain"]
            and bin(int(a["phash"]) ^ int(b["phash"])).count("1") <= HAMMING
            and int(np.abs(a["cells"].astype(int) - b["cells"].astype(int)).max()) <= COLOUR
        ]
        expected.append(twins[0] if twins else -1)
    assert 5 < sum(place >= 0 for place in expected) < 65, "both kinds occur"
    assert first_twins(mine, theirs).tolist() == expected
    assert first_twins(mine[:0], theirs).tolist() == []
    assert first_twins(mine, theirs[:0]).tolist() == [-1] * 70


def test_many_images_take_seconds() -> None:
    rng = np.random.default_rng(0)
    many, few = np.zeros(20_000, SIGNATURE), np.zeros(2_000, SIGNATURE)
    many["phash"], few["phash"] = (
        rng.integers(0, 2**63, len(part), dtype=np.uint64) for part in (many, few)
    )
    few[7] = many[123]
    start = time.thread_time()
    found = first_twins(many, few)
    assert time.thread_time() - start < 10, "80,000 × 10,000 would take more than three minutes"
    assert np.flatnonzero(found >= 0).tolist() == [123]
