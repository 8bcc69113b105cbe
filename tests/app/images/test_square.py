"""Three ways to make a picture square: what of it is seen, and where."""

import numpy as np
import pytest
from PIL import Image

from app.images.box import Box
from app.images.prepare import prepare
from app.images.square import RESIZES, Resize, square
from tests.support.images import difference, encode, photo

GREY = np.array([128, 128, 128])


def pixels(picture: Image.Image, size: int, resize: Resize) -> np.ndarray:
    return np.asarray(square(picture, size, resize))


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("shape", [(96, 64), (64, 96), (64, 64), (1, 300), (300, 1), (7, 5)])
def test_every_shape_becomes_a_square(shape: tuple[int, int], resize: Resize) -> None:
    found = pixels(photo(1, *shape), 32, resize)
    assert (found.shape, found.dtype) == ((32, 32, 3), np.uint8)


@pytest.mark.parametrize("resize", RESIZES)
def test_a_square_stays_what_it_is(resize: Resize) -> None:
    found = pixels(photo(1, 64, 64), 32, resize)
    assert np.array_equal(found, pixels(photo(1, 64, 64), 32, "stretch"))


@pytest.mark.parametrize(
    ("shape", "middle"), [((96, 64), (16, 0, 80, 64)), ((64, 96), (0, 16, 64, 80))]
)
def test_crop_takes_the_middle(shape: tuple[int, int], middle: tuple[int, int, int, int]) -> None:
    picture = photo(1, *shape)
    expected = pixels(picture.crop(middle), 32, "stretch")
    assert difference(pixels(picture, 32, "crop"), expected) < 0.5


def test_pad_keeps_the_shape_on_a_grey_ground() -> None:
    found = pixels(photo(1, 96, 64), 48, "pad")
    assert (found[:8] == GREY).all()
    assert (found[40:] == GREY).all()
    inner = np.asarray(photo(1, 96, 64).resize((48, 32), Image.Resampling.BICUBIC))
    assert difference(found[8:40], inner) < 0.5
    tall = pixels(photo(1, 64, 96), 48, "pad")
    assert (tall[:, :8] == GREY).all()
    assert (tall[:, 40:] == GREY).all()


@pytest.mark.parametrize("resize", ["crop", "pad"])
def test_a_mirror_image_is_the_mirror_of_its_square(resize: Resize) -> None:
    picture = photo(1, 96, 64)
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = pixels(mirrored, 32, resize)
    assert difference(found, pixels(picture, 32, resize)[:, ::-1]) < 0.5


@pytest.mark.parametrize("resize", RESIZES)
def test_a_box_is_cut_before_it_is_made_square(resize: Resize) -> None:
    picture = photo(1, 96, 64)
    cut = encode(picture.crop((48, 0, 96, 64)))
    found = prepare(encode(picture), 32, box=Box(0.5, 0, 1, 1), resize=resize)
    assert np.array_equal(found.pixels, prepare(cut, 32, resize=resize).pixels)
    assert (found.width, found.height) == (96, 64)


@pytest.mark.parametrize("resize", ["crop", "pad"])
def test_a_large_jpeg_loses_nothing_by_its_reduced_decoding(resize: Resize) -> None:
    large = photo(3, 2400, 1600)
    reduced = prepare(encode(large, "JPEG", quality=95), 64, resize=resize)
    assert difference(reduced.pixels, prepare(encode(large), 64, resize=resize).pixels) < 2
