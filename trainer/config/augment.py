"""``[augment]``: how training images are changed at random."""

from pydantic import Field

from trainer.config.section import Section


class AugmentConfig(Section):
    """Strengths of random changes, and shares of the images that get them."""

    crop_area: float = Field(
        0.5, gt=0, le=1, description="Least share of the picture that a random crop shows."
    )
    flip: bool = Field(
        False, description="Mirror at random; only where labels do not depend on it."
    )
    brightness: float = Field(0.3, ge=0, lt=1, description="Largest change of brightness.")
    contrast: float = Field(0.3, ge=0, lt=1, description="Largest change of contrast.")
    saturation: float = Field(0.5, ge=0, lt=1, description="Largest change of saturation.")
    hue: float = Field(0.1, ge=0, le=0.5, description="Largest turn of the hue, in turns.")
    grey: float = Field(0.1, ge=0, le=1, description="Share of the images made grey.")
    rotate: float = Field(
        0.0, ge=0, le=180, description="Largest rotation of the picture, in degrees."
    )
    blur: float = Field(0.0, ge=0, le=1, description="Share of the images blurred.")
    jpeg: float = Field(
        0.0, ge=0, le=1, description="Share of the images saved smaller and as JPEG."
    )
    background: float = Field(
        0.0, ge=0, le=1, description="Share of the images whose plain background changes colour."
    )
    padding: float = Field(
        0.0, ge=0, le=1, description="Share of the images shrunk onto a plain ground."
    )
    overlay: float = Field(
        0.0, ge=0, le=1, description="Share of the images that get a stripe, a patch or a frame."
    )
