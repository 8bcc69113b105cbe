"""What decoding is said to take, and what it takes: measured in processes of their own."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from app.images.cost import Cost
from app.images.limits import DEFAULT_LIMITS
from app.images.prepare import ModelInput
from tests.support.heic import grid
from tests.support.images import encode, photo
from tests.support.paths import DATA, ROOT

SIDE = 2400
# Measured in a child for each file, so that no decoder finds memory that another left.
MEASURE = """
import json, os, sys
from pathlib import Path
from app.images.limits import ImageLimits
from app.images.prepare import ModelInput, prepare
from tests.support.images import picture

def bytes_of(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

prepare(picture(), 32)
for name in sys.argv[1:]:
    data = Path(name).read_bytes()
    child = os.fork()
    if child == 0:
        before = bytes_of("VmRSS:")
        Path("/proc/self/clear_refs").write_text("5")
        prepare(data, 64, ImageLimits(10**9))
        taken = bytes_of("VmHWM:") - before
        said = ModelInput(64)
        said = said.cost(said.open(data, ImageLimits(10**9)))
        print(json.dumps([name, taken, said.memory]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def rgb(mode: str = "RGB") -> Image.Image:
    return photo(1, SIDE, SIDE).convert(mode)


def clear(mode: str = "RGBA") -> Image.Image:
    picture = rgb()
    picture.putalpha(photo(2, SIDE, SIDE).convert("L"))
    return picture.convert(mode)


def grey16() -> Image.Image:
    return Image.fromarray(np.asarray(rgb("L")).astype(np.uint16) * 257)


def png16(picture: Image.Image, colour_type: int) -> bytes:
    """A PNG of 16 bits a sample, which Pillow only reads."""
    row = np.repeat(np.asarray(picture)[..., None], 2, -1).reshape(SIDE, -1)
    rows = np.concatenate([np.zeros((SIDE, 1), np.uint8), row], 1).tobytes()
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, colour_type, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    return data


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def profile() -> bytes:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace("sRGB".encode("utf-16-be"), "xRGB".encode("utf-16-be"))


KINDS: dict[str, Callable[[], bytes]] = {
    "baseline JPEG": lambda: encode(rgb(), "JPEG"),
    "grey JPEG": lambda: encode(rgb("L"), "JPEG"),
    "CMYK JPEG": lambda: encode(rgb("CMYK"), "JPEG"),
    "progressive JPEG": lambda: encode(rgb(), "JPEG", progressive=True),
    "progressive JPEG with full colour": lambda: encode(
        rgb(), "JPEG", progressive=True, subsampling=0
    ),
    "progressive CMYK JPEG": lambda: encode(rgb("CMYK"), "JPEG", progressive=True),
    "PNG": lambda: encode(rgb(), compress_level=1),
    "bilevel PNG": lambda: encode(rgb("1")),
    "palette PNG": lambda: encode(rgb().quantize(64)),
    "palette PNG with transparency": lambda: encode(rgb().quantize(64), transparency=3),
    "PNG with one clear colour": lambda: encode(rgb(), compress_level=1, transparency=(1, 2, 3)),
    "PNG with alpha": lambda: encode(clear(), compress_level=1),
    "grey PNG with alpha": lambda: encode(clear("LA"), compress_level=1),
    "PNG with alpha and a profile": lambda: encode(
        clear(), compress_level=1, icc_profile=profile()
    ),
    "PNG lying on its side": lambda: encode(rgb(), compress_level=1, exif=turned()),
    "16-bit grey PNG": lambda: encode(grey16(), compress_level=1),
    "16-bit PNG": lambda: png16(rgb(), 2),
    "16-bit PNG with alpha": lambda: png16(clear(), 6),
    "PNG of one column": lambda: encode(Image.new("L", (1, 3_000_000))),
    "PNG of one column with alpha": lambda: encode(Image.new("RGBA", (1, 2_000_000))),
    "JPEG of a few columns": lambda: encode(Image.new("RGB", (1, 60_000)), "JPEG"),
    "WebP": lambda: encode(rgb(), "WEBP", method=0),
    "lossless WebP with alpha": lambda: encode(clear(), "WEBP", lossless=True, method=0, quality=0),
    "GIF": lambda: encode(rgb().quantize(64), "GIF"),
    "GIF with transparency": lambda: encode(rgb().quantize(64), "GIF", transparency=3),
    "BMP": lambda: encode(rgb(), "BMP"),
    "TIFF": lambda: encode(rgb(), "TIFF"),
    "TIFF in one strip": lambda: encode(
        rgb(), "TIFF", compression="tiff_lzw", tiffinfo={278: SIDE}
    ),
    "deflated TIFF with alpha": lambda: encode(clear(), "TIFF", compression="tiff_deflate"),
    "16-bit grey TIFF": lambda: encode(grey16(), "TIFF"),
    "floating TIFF": lambda: encode(rgb("F"), "TIFF"),
    "AVIF": lambda: encode(rgb(), "AVIF", speed=10),
    "HEIC": lambda: grid(2, 2),
    "AVIF with alpha": lambda: encode(clear(), "AVIF", speed=10),
}


@pytest.mark.slow
def test_no_kind_of_picture_takes_more_than_is_said_nor_much_less(tmp_path: Path) -> None:
    files = {tmp_path / str(index): kind for index, kind in enumerate(KINDS)}
    for path, kind in files.items():
        path.write_bytes(KINDS[kind]())
    script = [sys.executable, "-c", MEASURE, *map(str, files)]
    output = subprocess.run(script, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    measured = [json.loads(line) for line in output.splitlines()]
    assert len(measured) == len(KINDS)
    for name, taken, said in measured:
        kind = files[Path(name)]
        sys.stdout.write(f"{kind:40}{taken / 1e6:8.1f} MB taken{said / 1e6:8.1f} MB said\n")
        assert taken <= said + 1_000_000, kind
        assert said <= 2 * taken + 20_000_000, kind


def cost(data: bytes, size: int = 64) -> Cost:
    wanted = ModelInput(size)
    return wanted.cost(wanted.open(data, DEFAULT_LIMITS))


def test_a_jpeg_costs_what_its_scale_and_scans_do() -> None:
    large = photo(1, 3000, 2000)
    plain, several = (encode(large, "JPEG", progressive=each) for each in (False, True))
    assert cost(plain).memory < 10_000_000
    assert cost(plain, size=1500).memory > 24_000_000
    assert cost(several).memory > 3000 * 2000 * 3
    assert cost(several).seconds > 2 * cost(plain).seconds


def test_a_run_length_coded_bitmap_is_dear_though_it_is_small() -> None:
    side = 7000
    header = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 1078)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    found = cost(header + info + bytes(1024) + b"\0\1")
    assert found.seconds > 2
    assert found.holds_lock


def test_steps_that_draw_nothing_cost_time_too() -> None:
    header = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 1078)
    info = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 1, 0, 0, 0, 256, 0)
    found = cost(header + info + bytes(1024) + bytes(4_000_000))
    assert found.seconds > 1
    assert found.holds_lock


def test_rows_cost_memory_though_they_be_short() -> None:
    tall, wide = (cost(encode(Image.new("L", size))).memory for size in ((1, 10**6), (10**6, 1)))
    assert tall > wide + 16_000_000


def test_a_tile_costs_what_it_is_not_what_the_picture_is() -> None:
    data = encode(photo(1, 64, 64), "TIFF", compression="tiff_lzw")
    large = tiff_with_a_tile(data, 4096)
    assert cost(large).memory > cost(data).memory + 3 * 4096**2 - 100_000


def tiff_with_a_tile(data: bytes, side: int) -> bytes:
    """The same TIFF with its strip called a tile of ``side`` × ``side``."""
    image = Image.open(io.BytesIO(data))
    assert image.format == "TIFF"
    position = struct.unpack_from("<I", data, 4)[0]
    changed = bytearray(data)
    for offset in entries(data, position):
        tag = struct.unpack_from("<H", data, offset)[0]
        if tag == 278:
            struct.pack_into("<HHII", changed, offset, 322, 4, 1, side)
        elif tag == 279:
            struct.pack_into("<HHII", changed, offset, 323, 4, 1, side)
    return bytes(changed)


def entries(data: bytes, position: int) -> Iterator[int]:
    count = struct.unpack_from("<H", data, position)[0]
    return iter(range(position + 2, position + 2 + 12 * count, 12))


def test_a_header_that_does_not_bind_its_decoder_is_known() -> None:
    small = photo(1)
    assert cost(encode(small, "JPEG")).binding
    assert not cost(encode(small, "AVIF")).binding
    assert not cost((DATA / "photo7.heic").read_bytes()).binding
