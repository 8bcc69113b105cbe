"""The three ways to make a picture square, which is what every model wants to see."""

from typing import Literal, get_args

from PIL import Image

Resize = Literal["stretch", "crop", "pad"]
RESIZES: tuple[Resize, ...] = get_args(Resize)

# Mid-grey: near the middle of what any model scales pixels to.
_GROUND = (128, 128, 128)


def square(picture: Image.Image, size: int, resize: Resize) -> Image.Image:
    """Return the RGB ``picture`` at ``size`` × ``size``, bicubic with antialiasing.

    ``stretch`` keeps all of it, whatever its shape; ``crop`` brings the shorter side to ``size`` and
    takes the middle; ``pad`` brings the longer side to ``size``, in the middle of a grey ground.
    """
    width, height = picture.size
    if resize == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return _resized(picture, (size, size), (left, top, left + side, top + side))
    whole = (0.0, 0.0, float(width), float(height))
    if resize == "stretch":
        return _resized(picture, (size, size), whole)
    longer = max(width, height)
    inner = (max(round(size * width / longer), 1), max(round(size * height / longer), 1))
    ground = Image.new("RGB", (size, size), _GROUND)
    ground.paste(_resized(picture, inner, whole), ((size - inner[0]) // 2, (size - inner[1]) // 2))
    return ground


def _resized(
    picture: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Image.Image:
    return picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
