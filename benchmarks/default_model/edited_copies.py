"""Copies of a picture as people change them: six edits, drawn by chance and fixed by a seed.

Training has its own changes (``trainer.batches.augment``), written apart from these and in another library,
so that a model is not asked for what it was drilled in.
"""

import hashlib
import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]
Colour = tuple[int, int, int]

# Longest side of an original: a picture on a web page.
SIDE = 640
# An edited picture is saved as its editor would; the two edits that save one themselves go lower.
_QUALITY = 95


def open_original(path: Path) -> Image.Image:
    """The picture upright in RGB, white behind what is transparent, at most ``SIDE`` pixels long.

    Raises ``OSError`` when it cannot be read.
    """
    with Image.open(path) as image:
        image.draft("RGB", (SIDE, SIDE))
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            rgba = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        rgb = upright.convert("RGB")
    rgb.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return rgb


def edited(original: Image.Image, edit: str, key: str) -> bytes:
    """``original`` after the edit of that name, as JPEG; equal ``key`` gives equal bytes."""
    number = hashlib.sha256(f"{edit}/{key}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(number[:8], "big"))
    return _jpeg(EDITS[edit](original, rng), _QUALITY)


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """50–80 % of the area, wherever, its shape changed by up to a sixth."""
    area, shape = rng.uniform(0.5, 0.8), rng.uniform(0.85, 1.18)
    width = max(1, min(image.width, round(image.width * math.sqrt(area * shape))))
    height = max(1, min(image.height, round(image.height * math.sqrt(area / shape))))
    x = int(rng.integers(0, image.width - width + 1))
    y = int(rng.integers(0, image.height - height + 1))
    return image.crop((x, y, x + width, y + height))


def rotate(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """8–30° either way, the whole picture kept, white or black in the corners."""
    angle = rng.uniform(8, 30) * rng.choice([-1, 1])
    corners = (255, 255, 255) if rng.random() < 0.5 else (0, 0, 0)
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=corners)


def recompress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Half as wide and high, then JPEG of quality 10–30."""
    half = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
    return _open(_jpeg(half, int(rng.integers(10, 31))))


def recolour(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Hue by up to 35°, saturation 0.3–1.6, brightness and contrast 0.7–1.3 of what they were."""
    turn = int(rng.uniform(-25, 25))
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    image = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    image = ImageEnhance.Color(image).enhance(rng.uniform(0.3, 1.6))
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.7, 1.3))
    return ImageEnhance.Contrast(image).enhance(rng.uniform(0.7, 1.3))


def overlay(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A banner with text over 12–20 % of the height, and a disc a quarter as wide as high."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    width, height = image.size
    colour, banner = _colour(rng), height * rng.uniform(0.12, 0.2)
    y = rng.uniform(0, height - banner)
    draw.rectangle((0, y, width, y + banner), fill=colour)
    opposite = (255 - colour[0], 255 - colour[1], 255 - colour[2])
    text = (width * 0.1, y + banner * 0.1)
    draw.text(text, "SALE 50% OFF  www.shop", fill=opposite, font=_font(banner * 0.6))
    side = min(height * 0.24, width)
    x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
    draw.ellipse((x, y, x + side, y + side), fill=_colour(rng))
    return image


def screenshot(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture on a phone's page, light or dark, between bars with text; JPEG of quality 80."""
    light = rng.random() < 0.5
    ground, ink = ((250, 250, 250), (30, 30, 30)) if light else ((24, 24, 26), (230, 230, 230))
    width, height = image.size
    page = max(width, int(width * rng.uniform(1.05, 1.25)))
    top, bottom = int(height * rng.uniform(0.12, 0.25)), int(height * rng.uniform(0.12, 0.35))
    frame = Image.new("RGB", (page, height + top + bottom), ground)
    frame.paste(image, ((page - width) // 2, top))
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, 0, page, top / 2), fill=_colour(rng))
    draw.text((page * 0.05, top * 0.55), "10:41   Photos", fill=ink, font=_font(top * 0.3))
    for line in range(3):
        at = (page * 0.05, top + height + bottom * (0.1 + 0.28 * line))
        draw.text(at, "Lorem ipsum dolor sit amet", fill=ink, font=_font(bottom * 0.2))
    return _open(_jpeg(frame, 80))


EDITS: dict[str, Edit] = {
    "crop": crop,
    "rotate": rotate,
    "recompress": recompress,
    "recolour": recolour,
    "overlay": overlay,
    "screenshot": screenshot,
}


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _font(height: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(max(7.0, height))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")
