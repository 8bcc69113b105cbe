"""What the benchmark of a model swap counts as wrong."""

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from gemello.client.results import Model, Query, Result, SearchAnswer
from tests.support.paths import ROOT


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield import_module("model_swap")
    sys.modules.pop("model_swap", None)


def answer(distance: float, *embeddings: list[float]) -> SearchAnswer:
    """A search for [0, 0] that found these, each said to be that far away."""
    results = [
        Result(
            id="a",
            label=None,
            filename=None,
            metadata={},
            width=1,
            height=1,
            media_type="image/png",
            bytes=1,
            created_at="",
            image_url="",
            thumbnail_url="",
            rank=1,
            distance=distance,
            score=None,
            match=None,
            embedding=embedding,
        )
        for embedding in embeddings
    ]
    return SearchAnswer(
        query=Query(None, 1, 1, embedding=[0.0, 0.0]),
        results=results,
        match=None,
        calibration=None,
        total=len(results),
        offset=0,
        next_offset=None,
        model=Model("m", "1", "id"),
        took_ms=1.0,
    )


def test_an_answer_of_one_model_is_told_from_a_mixed_one(benchmark: Any) -> None:
    assert benchmark.of_one_model(answer(5.0, [3.0, 4.0], [-4.0, 3.0]))
    assert not benchmark.of_one_model(answer(5.0, [3.0, 4.0], [3.0, 3.0])), "another distance"
    assert not benchmark.of_one_model(answer(5.0, [3.0, 4.0, 0.0])), "another dimension"
    assert not benchmark.of_one_model(answer(5.0)), "nothing found in a gallery that is full"


def test_only_what_overlaps_the_time_that_the_service_was_down_is_excused(benchmark: Any) -> None:
    spans = [
        (1, 9, "before"),
        (9, 11, "cut off"),
        (12, 13, "down"),
        (19, 21, "late"),
        (21, 22, "after"),
    ]
    searches = benchmark.Searches(failed=spans)
    assert searches.astray(10, 20) == ["before", "after"]
