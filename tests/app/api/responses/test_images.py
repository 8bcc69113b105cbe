"""What is said of a stored image; and that the types hold a response to its fields."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from app.api.responses import images
from app.api.responses.images import Image, Result
from app.gallery.query import Match
from app.storage.records import ImageRecord
from tests.support.paths import ROOT

RECORD = ImageRecord(
    id="späte tür?",
    sha256="0" * 64,
    filename="door.png",
    label="door",
    metadata={"price": 5},
    width=96,
    height=64,
    media_type="image/png",
    bytes=7,
    created_at="2026-01-31T12:00:00+00:00",
    position=3,
)


def test_an_image_is_described_by_its_record() -> None:
    assert Image.of(RECORD).model_dump() == {
        "id": "späte tür?",
        "label": "door",
        "filename": "door.png",
        "metadata": {"price": 5},
        "width": 96,
        "height": 64,
        "media_type": "image/png",
        "bytes": 7,
        "created_at": "2026-01-31T12:00:00+00:00",
        "image_url": "/gallery/sp%C3%A4te%20t%C3%BCr%3F/image",
        "thumbnail_url": "/gallery/sp%C3%A4te%20t%C3%BCr%3F/thumbnail",
        "embedding": None,
    }


def test_a_result_is_its_image_and_how_near_it_is() -> None:
    vector = np.array([0.5, 0.25], np.float32)
    match = Match(
        rank=2, distance=0.25, image=RECORD, score=0.75, match=True, group="runner", vector=vector
    )
    assert Result.of(match).model_dump() == {
        **Image.of(RECORD, vector).model_dump(),
        "embedding": [0.5, 0.25],
        "rank": 2,
        "distance": 0.25,
        "score": 0.75,
        "match": True,
        "group": "runner",
    }


MISSPELT = {
    "media_type=record.media_type": ("mediatype=record.media_type", 'argument "mediatype"'),
    "width=record.width": ("width=record.filename", 'Argument "width" to "Image"'),
    "label=record.label": ("label=record.lable", 'no attribute "lable"'),
}


def test_a_misspelt_field_is_a_type_error(tmp_path: Path) -> None:
    source = Path(images.__file__).read_text()
    (tmp_path / "as_it_is.py").write_text(source)
    for number, (right, (wrong, _)) in enumerate(MISSPELT.items()):
        assert source.count(right) == 1
        (tmp_path / f"misspelt{number}.py").write_text(source.replace(right, wrong))
    # With the repository's own settings, and what `make check` has left in the cache.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *sorted(tmp_path.glob("*.py"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert not any("as_it_is.py" in line for line in errors), done.stdout
    for number, (_, message) in enumerate(MISSPELT.values()):
        assert any(f"misspelt{number}.py" in line and message in line for line in errors), number
