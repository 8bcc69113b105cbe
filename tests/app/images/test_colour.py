"""Colours as they are meant: modes, depths, transparency, and embedded profiles."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.images.prepare import prepare
from tests.support.images import difference, encode, photo


def test_colour_modes_equal_a_reference_conversion() -> None:
    rgb = photo(1)
    expected = prepare(encode(rgb), 32).pixels
    cmyk = prepare(encode(rgb.convert("CMYK"), "JPEG", quality=95), 32).pixels
    assert difference(cmyk, expected) < 3
    palette = prepare(encode(rgb.quantize(256)), 32).pixels
    assert difference(palette, expected) < 6


def test_greyscale_of_eight_and_sixteen_bits_are_alike() -> None:
    grey = photo(1).convert("L")
    expected = prepare(encode(grey.convert("RGB")), 32).pixels
    assert difference(prepare(encode(grey), 32).pixels, expected) == 0
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    for kind in ("PNG", "TIFF"):
        assert difference(prepare(encode(deep, kind), 32).pixels, expected) == 0
    black_and_white = prepare(encode(grey.convert("1", dither=Image.Dither.NONE)), 32).pixels
    assert set(np.unique(black_and_white[:2, :2])) <= set(range(256))
    assert difference(black_and_white, expected) < 90


def test_what_is_transparent_becomes_white() -> None:
    rgba = photo(1).convert("RGBA")
    rgba.putalpha(Image.new("L", rgba.size, 0))
    assert (prepare(encode(rgba), 32).pixels == 255).all()
    grey = photo(1).convert("LA")
    grey.putalpha(Image.new("L", grey.size, 0))
    assert (prepare(encode(grey), 32).pixels == 255).all()
    palette = Image.new("P", (20, 20), 3)
    palette.putpalette([0, 0, 0] * 256)
    assert (prepare(encode(palette, transparency=3), 32).pixels == 255).all()
    assert (prepare(encode(palette, transparency=4), 32).pixels == 0).all()
    key = Image.new("RGB", (20, 20), (9, 8, 7))
    assert (prepare(encode(key, transparency=(9, 8, 7)), 32).pixels == 255).all()
    half = Image.new("RGBA", (20, 20), (0, 0, 0, 128))
    assert abs(int(prepare(encode(half), 32).pixels[0, 0, 0]) - 127) <= 1


def other_rgb() -> bytes:
    """A colour profile that is not sRGB: red and blue exchanged, so that nobody can miss it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "abcd".encode("utf-16-be"))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("JPEG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("TIFF", "RGB")],
)
def test_an_embedded_colour_profile_is_heeded(kind: str, mode: str) -> None:
    red = Image.new(mode, (64, 64), "red")
    seen = prepare(encode(red, kind, icc_profile=other_rgb()), 32).pixels.mean((0, 1))
    assert seen[2] > 150, seen
    assert seen[0] < 100, seen
    plain = prepare(encode(red, kind), 32).pixels.mean((0, 1))
    assert plain[0] > 240
    assert plain[2] < 20


@pytest.mark.parametrize("profile", [b"", b"no profile", other_rgb()[:200], other_rgb()[:-100]])
def test_a_broken_colour_profile_costs_nothing(profile: bytes) -> None:
    data = encode(photo(1), "JPEG", icc_profile=profile)
    assert difference(prepare(data, 32).pixels, prepare(encode(photo(1)), 32).pixels) < 3


def test_srgb_stays_as_it_is_and_a_profile_of_another_kind_is_ignored() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = prepare(encode(photo(1)), 32).pixels
    assert np.array_equal(prepare(encode(photo(1), icc_profile=srgb), 32).pixels, plain)
    grey = encode(photo(1).convert("L"), icc_profile=other_rgb())
    assert np.array_equal(
        prepare(grey, 32).pixels, prepare(encode(photo(1).convert("L")), 32).pixels
    )
