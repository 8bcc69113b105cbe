"""The peer is asked through pipes; both trainers read the same list of files."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training.trainings import PeerEncoder, theirs, write_data
from trainer.data.records import Record, read_data

# What peer_metric_learning.py says and takes, without PyTorch: the mean colour as the embedding.
PEER = """
import io
import sys
import numpy as np
if sys.argv[1] == "train":
    open(sys.argv[3], "w").write("trained")
    sys.exit()
assert open(sys.argv[2]).read() == "trained"
while size := int.from_bytes(sys.stdin.buffer.read(8), "big"):
    images = np.load(io.BytesIO(sys.stdin.buffer.read(size)))
    array = io.BytesIO()
    np.save(array, images.mean((1, 2)).astype(np.float32))
    sys.stdout.buffer.write(array.tell().to_bytes(8, "big") + array.getvalue())
    sys.stdout.flush()
"""


def test_a_peer_embeds_batch_after_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "peer.py"
    script.write_text(PEER)
    monkeypatch.setattr("benchmarks.training.trainings.PEER", script)
    asked = []
    for peer in theirs(tmp_path / "train.csv", 0, (16, 32), Path(sys.executable), (), tmp_path):
        side = peer.encoder.input_size
        asked.append((peer.name, side))
        for count in (3, 1):
            images = np.random.default_rng(count).integers(0, 256, (count, side, side, 3), np.uint8)
            np.testing.assert_allclose(peer.encoder.embed(images), images.mean((1, 2)), rtol=1e-6)
        assert peer.cost
        assert peer.cost.wall_s > 0
    assert asked == [
        ("pytorch-metric-learning at 16 px", 16),
        ("pytorch-metric-learning at 32 px", 32),
    ]


def test_a_peer_that_ends_early_is_an_error() -> None:
    with (
        pytest.raises((EOFError, BrokenPipeError)),
        PeerEncoder([sys.executable, "-c", "raise SystemExit(1)"], 8) as encoder,
    ):
        encoder.embed(np.zeros((1, 8, 8, 3), np.uint8))


def test_both_trainers_read_the_same_list(tmp_path: Path) -> None:
    images = [tmp_path / "a, b" / "1.png", tmp_path / "c" / "ü.png"]
    for image in images:
        image.parent.mkdir()
        image.touch()
    data = write_data([Record(path, path.parent.name) for path in images], tmp_path)
    with data.open(newline="", encoding="utf-8") as stream:
        assert [row["path"] for row in csv.DictReader(stream)] == [str(path) for path in images]
    assert [record.label for record in read_data(data)] == ["a, b", "c"]
