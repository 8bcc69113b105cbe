"""A box is a part of the upright picture."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from app.images.box import Box
from app.images.prepare import prepare
from tests.support.images import difference, encode, photo


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_box_is_what_cutting_the_upright_picture_first_gives(kind: str, orientation: int) -> None:
    stored = photo(5, 400, 300)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encode(stored, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
    width, height = upright.size
    cut = upright.crop((width // 4, height // 2, width // 2, height)).convert("RGB")
    expected = prepare(encode(cut), 32)
    found = prepare(data, 32, box=Box(0.25, 0.5, 0.5, 1))
    assert (found.width, found.height) == (width, height)
    assert difference(found.pixels, expected.pixels) < 2


@pytest.mark.parametrize("sides", [(1, 1), (1, 500), (500, 1), (3, 3)])
def test_the_smallest_box_still_is_a_picture(sides: tuple[int, int]) -> None:
    data = encode(photo(1, *sides))
    for box in (Box(0, 0, 1e-9, 1e-9), Box(1 - 1e-9, 1 - 1e-9, 1, 1), Box(0, 0, 1, 1)):
        assert prepare(data, 32, box=box).pixels.shape == (32, 32, 3)
    whole = prepare(data, 32, box=Box(0, 0, 1, 1)).pixels
    assert np.array_equal(whole, prepare(data, 32).pixels)
