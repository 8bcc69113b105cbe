"""The training benchmark's own arithmetic: costs of processes, its table, its search."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.images.prepare import prepare_file
from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from tests.support.paths import ROOT
from trainer.evaluate.retrieval import measure_queries

GROW = """
import subprocess, sys, time
mine = bytearray(b"x") * 60_000_000
subprocess.run([sys.executable, "-c", '''
import time
mine = bytearray(b"x") * 90_000_000
time.sleep(1.5)
'''], check=True)
"""


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield import_module("training")
    for name in ("training", "processes"):
        sys.modules.pop(name, None)


FORK = """
import os, time
mine = bytearray(b"x") * 120_000_000
for _ in range(3):
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
for _ in range(3):
    os.wait()
"""


def test_memory_is_that_of_the_whole_tree(benchmark: Any, tmp_path: Path) -> None:
    cost = benchmark.measure([sys.executable, "-c", GROW], tmp_path, os.environ)
    assert 150e6 < cost.peak_bytes < 250e6
    assert 1.5 < cost.wall_s < 30
    shared = benchmark.measure([sys.executable, "-c", FORK], tmp_path, os.environ)
    assert 120e6 < shared.peak_bytes < 180e6, "forks share their parent's pages"
    with pytest.raises(SystemExit, match="status 3"):
        benchmark.measure([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, os.environ)


def test_the_table_has_means_spreads_and_ratios(benchmark: Any) -> None:
    one = benchmark.Run(benchmark.OURS, 0, 0.8, 0.9, 0.95, None, 100.0, 90.0, None, 900.0)
    runs = [
        one,
        replace(one, seed=1, recall_1=0.7, wall_s=140.0),
        replace(
            one,
            trainer=benchmark.THEIRS,
            recall_1=0.6,
            larger_recall_1=0.625,
            wall_s=60.0,
            train_s=50.0,
        ),
        replace(
            one,
            trainer=benchmark.THEIRS,
            recall_1=0.4,
            larger_recall_1=0.5,
            wall_s=60.0,
            train_s=40.0,
        ),
    ]
    rows = {row[0]: row[1:] for row in benchmark.summary(runs)}
    assert rows["recall@1"] == [
        "0.7500 (0.7000 – 0.8000)",
        "0.5000 (0.4000 – 0.6000)",
        "1.500",
    ]
    assert rows["recall@1 at 192 px"] == ["–", "0.5625 (0.5000 – 0.6250)", "–"]
    assert rows["wall time, s"] == ["120 (100 – 140)", "60 (60 – 60)", "2.000"]
    assert rows["of it training, s"] == ["90 (90 – 90)", "45 (40 – 50)", "2.000"]
    lines = benchmark.markdown(benchmark.summary(runs)).splitlines()
    assert lines[0] == "| figure | gemello | pytorch-metric-learning | ratio |"
    assert {line.count("|") for line in lines} == {5}


def test_recall_is_that_of_evaluate(benchmark: Any, tmp_path: Path) -> None:
    queries = draw_classes(tmp_path / "test" / "queries", 6, 1)
    gallery = draw_classes(tmp_path / "test" / "gallery", 6, 3)
    encoder = FakeEncoder()
    found = benchmark.searched(tmp_path, encoder.embed, encoder.input_size)
    expected = measure_queries(encoder, queries, gallery).figures()
    for name in ("recall@1", "recall@5", "recall@10", "queries", "gallery"):
        assert found[name] == expected[name]


def test_ours_is_timed_by_its_own_history(benchmark: Any, tiny_store: Path) -> None:
    from app.bundle.manifest import Manifest

    manifest = Manifest.model_validate(
        json.loads((tiny_store / "tiny/1/manifest.json").read_text())
    )
    epochs = [{"seconds": 10.0}, {"seconds": 14.0}]
    timed = manifest.model_copy(
        update={
            "training": {"history": {"epochs": epochs}},
            "data": {"images": {"train": 240}},
        }
    )
    assert benchmark.trained(timed) == (24.0, pytest.approx(2 * 240 / 24))
    untimed = timed.model_copy(update={"training": {"history": {"epochs": []}}})
    assert benchmark.trained(untimed) == (0, None)


def test_a_part_of_the_data_is_the_same_classes_on_all_sides(
    benchmark: Any, tmp_path: Path
) -> None:
    for part in ("train", "test/queries", "test/gallery"):
        draw_classes(tmp_path / "data" / part, 5, 2)
    small = benchmark.part_of(tmp_path / "data", 2, tmp_path / "small")
    for part in ("train", "test/queries", "test/gallery"):
        assert [p.name for p in sorted((small / part).iterdir())] == ["class000", "class001"]
    image = next((small / "train").rglob("*.png"))
    assert prepare_file(image, 32).pixels.dtype == np.uint8
