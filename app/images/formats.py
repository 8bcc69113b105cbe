"""The image formats that are decoded, and how their files begin and are called."""

# Only these decoders ever see untrusted bytes (EPS, PDF, FITS … start helper processes or parsers).
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
SUPPORTED = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
"""What people call them."""
# A phone's JPEG that carries a second picture, or a depth map; Pillow's JPEG decoder names it so.
MULTI_PICTURE = "MPO"
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_RIFF_BRANDS = (b"WEBP",)
_ISO_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")

# A parser of tags or of nested boxes may be led far astray by a few bytes.
_TIFF = (b"II", b"MM")


def opens_at_once(data: bytes) -> bool:
    """Return whether reading the header of ``data`` takes a moment, whatever follows.

    So it is for JPEG, PNG, GIF, BMP and WebP once ``read_layout`` and ``check_parts`` have counted their
    parts, and for what is no image.
    """
    return not data.startswith(_TIFF) and data[4:8] != b"ftyp"


def has_known_magic(data: bytes) -> bool:
    """Return whether ``data`` begins as a file of these formats does, however broken the rest is."""
    return (
        data.startswith(_MAGIC)
        or (data.startswith(b"RIFF") and data[8:12] in _RIFF_BRANDS)
        or (data[4:8] == b"ftyp" and data[8:12] in _ISO_BRANDS)
    )
