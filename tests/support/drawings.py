"""Folders of small drawn pictures: each class a shape of its own, each image a variation."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def draw(label: int, variation: int, side: int = 64) -> Image.Image:
    """A class is a shape: 3–7 corners, filled or not. Colours, place, size and turn say nothing."""
    change = np.random.default_rng((label, variation))
    background, ink = (tuple(change.integers(0, 256, 3).tolist()) for _ in range(2))
    corners, filled = 3 + label % 5, label // 5 % 2 == 0
    radius = side * change.uniform(0.25, 0.4)
    centre = side / 2 + change.uniform(-side / 10, side / 10, 2)
    angles = change.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(corners) / corners
    points = [(centre[0] + radius * np.cos(a), centre[1] + radius * np.sin(a)) for a in angles]
    image = Image.new("RGB", (side, side), background)
    pen = ImageDraw.Draw(image)
    pen.polygon(points, fill=ink if filled else None, outline=ink, width=side // 16)
    return image


def draw_classes(folder: Path, classes: int, images: int, *, first: int = 0) -> Path:
    """``folder/classNN/imageNN.png``; returns ``folder``."""
    for label in range(first, first + classes):
        target = folder / f"class{label:03d}"
        target.mkdir(parents=True)
        for variation in range(images):
            draw(label, variation).save(target / f"image{variation:02d}.png")
    return folder
