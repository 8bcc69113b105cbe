"""Any of Pillow's modes to 8-bit sRGB."""

import io

import numpy as np
from PIL import Image, ImageCms

_SRGB = ImageCms.createProfile("sRGB")


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to 8-bit sRGB; transparency over white; 16-bit grey by its high byte."""
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image).astype(np.uint32)
        return Image.fromarray((grey >> 8).clip(0, 255).astype(np.uint8), "L").convert("RGB")
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        over = Image.new("RGB", rgba.size, "white")
        # Without a profile no further copy is made.
        over.paste(_in_srgb(rgba.convert("RGB"), profile) if profile else rgba, (0, 0), rgba)
        return over
    coloured = image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")
    return _in_srgb(coloured, profile)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB as its embedded colour profile means it; a profile that is broken is ignored."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                seen = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
                return seen if seen is not None else image.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    # A large picture fills memory: what is RGB is not copied.
    return image if image.mode == "RGB" else image.convert("RGB")
