"""The tables of the default model's checks say what was measured."""

import json

import numpy as np
import pytest
from rich.console import Console

from app.testing import FakeEncoder
from benchmarks.default_model.encoder_speed import Speed, measure_speed
from benchmarks.default_model.scores import Result, compare
from benchmarks.default_model.tables import AtSize, as_json, quality_grid, size_grid

NAMES = ("untrained", "mine/1")


def result(check: str, part: str | None, recall: float, map_at_r: float) -> Result:
    classes = np.array([str(i) for i in range(100)])

    def values(share: float) -> np.ndarray:
        return (np.arange(100) < round(100 * share)).astype(float)

    rows = [
        compare("recall@1", values(recall), values(recall + 0.1), classes),
        compare("recall@5", values(recall), values(recall), classes),
        compare("map@r", values(map_at_r), values(map_at_r + 0.1), classes),
    ]
    return Result(check, part, 100, 1000, rows)


@pytest.fixture
def found() -> AtSize:
    results = [
        result("edited copies", None, 0.5, 0.5),
        result("edited copies", "crop", 0.4, 0.4),
        result("photographs: stamps", None, 0.6, 0.2),
    ]
    return AtSize(160, results, (Speed(2.0, 400), Speed(3.0, 300)))


def test_the_quality_table_has_each_check_with_its_parts(found: AtSize) -> None:
    grid = quality_grid(found, NAMES)
    assert [(row[0], row[2]) for row in grid.rows] == [
        ("edited copies", "recall@1"),
        ("", "recall@5"),
        ("· crop", "recall@1"),
        ("photographs: stamps", "recall@1"),
        ("", "recall@5"),
        ("", "MAP@R"),
    ]
    first = grid.rows[0]
    assert first[1] == "100 in 1,000"
    assert first[3].startswith("0.500 (")
    assert first[4].startswith("0.600 (")
    assert first[5].startswith("+10.0 (+")
    assert first[6] == "p < 0.001"
    assert grid.rows[1][5].startswith("+0.0 (")
    assert grid.rows[1][6] == "p = 1.000"


def test_markdown_and_terminal_hold_the_same_cells(found: AtSize) -> None:
    console = Console(width=200)
    for grid in (quality_grid(found, NAMES), size_grid([found], NAMES)):
        lines = [line for line in grid.markdown().splitlines() if line.startswith("|")]
        assert len(lines) == len(grid.rows) + 2
        assert {line.count("|") for line in lines} == {len(grid.header) + 1}
        with console.capture() as captured:
            console.print(grid.rich())
        text = captured.get()
        for row in grid.rows:
            assert all(cell in text for cell in row)


def test_the_size_table_sets_quality_beside_speed(found: AtSize) -> None:
    grid = size_grid([found], NAMES)
    assert list(grid.header[4:]) == [
        "edited copies recall@1",
        "photographs: stamps recall@1",
        "photographs: stamps MAP@R",
    ]
    assert [list(row) for row in grid.rows] == [
        ["160", "untrained", "2.0", "400", "0.500", "0.600", "0.200"],
        ["160", "mine/1", "3.0", "300", "0.600", "0.700", "0.300"],
    ]


def test_json_holds_every_figure(found: AtSize) -> None:
    (at,) = json.loads(json.dumps(as_json([found])))
    assert at["input_size"] == 160
    assert at["speed"]["trained"] == {"single_ms": 3.0, "images_per_s": 300}
    figure = at["checks"][1]["figures"]["recall@1"]
    assert at["checks"][1]["part"] == "crop"
    assert (figure["untrained"]["value"], figure["trained"]["value"]) == (0.4, 0.5)
    assert figure["difference"]["low"] <= 0.1 <= figure["difference"]["high"]
    assert figure["difference"]["p_value"] < 0.05


def test_speeds_are_of_each_encoder_in_turn() -> None:
    calls: list[int] = []

    class Slow(FakeEncoder):
        def embed(self, images: np.ndarray) -> np.ndarray:
            import time

            calls.append(len(images))
            time.sleep(0.002)
            return super().embed(images)

    fast, slow = measure_speed([FakeEncoder(), Slow()])
    assert slow.single_ms > max(2, fast.single_ms)
    assert slow.images_per_s < fast.images_per_s
    assert set(calls) == {1, 32}
