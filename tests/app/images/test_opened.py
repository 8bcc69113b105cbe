"""What is read of a header beside the size, and what is not."""

import struct
import subprocess
import sys
from pathlib import Path

from app.images.prepare import prepare
from tests.support.images import picture
from tests.support.paths import ROOT


def test_a_large_exif_block_costs_its_orientation_alone() -> None:
    turned = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x0112, 3, 1, 6) + bytes(4)
    small, large = (
        picture(1, kind, exif=turned + bytes(length))
        for kind, length in (("PNG", 0), ("PNG", 1_000_000))
    )
    assert (prepare(small, 32).width, prepare(large, 32).width) == (64, 96)


def test_what_pillow_thinks_of_a_file_is_not_written_to_the_log(tmp_path: Path) -> None:
    tags = b"".join(struct.pack("<HHII", tag, 1, 5 + tag % 7, 10**6) for tag in range(1, 3_000))
    path = tmp_path / "doubtful"
    path.write_bytes(picture(1, exif=b"II*\0\x08\0\0\0" + struct.pack("<H", 2_999) + tags))
    code = (
        "import sys, pathlib; from app.images.prepare import prepare_file;"
        "print(prepare_file(pathlib.Path(sys.argv[1]), 32).width)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, check=True, capture_output=True
    )
    assert (found.stdout, found.stderr) == (b"96\n", b"")
