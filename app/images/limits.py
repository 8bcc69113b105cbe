"""What one image may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one image may cost: its bytes, its pixels once decoded, a JPEG's scans."""

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_scans: int = 64


DEFAULT_LIMITS = ImageLimits()
