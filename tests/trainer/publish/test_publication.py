"""What is published, what needs force, and what is activated; a tiny backbone."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.bundle import model_store
from tests.support.drawings import draw_classes
from tests.support.tiny_network import config, in_place_of_the_real_one
from trainer.errors import NotShownBetter
from trainer.evaluate.measurement import Measurement
from trainer.fit import ladder
from trainer.publish import publication
from trainer.publish.measure import Retrieval, measure_retrieval
from trainer.run import train

FEW = {"validation_fraction": 0.3, "test_fraction": 0.3, "epochs": 0}


@pytest.fixture(autouse=True)
def _tiny() -> Iterator[None]:
    with in_place_of_the_real_one():
        yield


def run(data: Path, *, force: bool = False, resume: bool = False, **values: Any) -> str:
    folder = data.parent
    chosen = config(**{**FEW, **values})
    bundle = train(
        data, "mine", chosen, folder / "store", folder / "cache", force=force, resume=resume
    )
    return bundle.title


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return draw_classes(tmp_path / "data", 12, 4)


@pytest.fixture
def worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trained head is chosen, and finds nothing on the test classes; what is measured instead of it does."""
    monkeypatch.setattr(ladder, "choose", lambda rungs: rungs[-1])
    trained = cycle([True, False])

    def nothing(*arguments: Any) -> Retrieval:
        found = measure_retrieval(*arguments)
        assert found is not None
        return replace(found, trained=without_a_hit(found.trained)) if next(trained) else found

    monkeypatch.setattr(publication, "measure_retrieval", nothing)


def without_a_hit(measured: Measurement) -> Measurement:
    zeros = np.zeros_like(measured.average_precision)
    return replace(measured, ranks=measured.ranks + 1000, average_precision=zeros)


@pytest.mark.usefixtures("worse")
def test_what_is_clearly_worse_gives_way_to_the_adapted_features(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store = data.parent / "store"
    assert run(data) == "mine/1"
    assert model_store.active_version(store, "mine") == "1"
    said = " ".join(capfd.readouterr().err.split())
    assert re.search(r"worse than without training \(recall@1 0\.000 < .* published instead", said)
    bundle = model_store.resolve(store, "mine/1")
    rungs = {rung["name"]: rung for rung in bundle.manifest.training["history"]["ladder"]}
    assert [name for name, rung in rungs.items() if rung["published"]] == [ladder.ADAPTED]
    assert "recall@1 0.000 <" in rungs[ladder.HEAD]["refused"]
    assert "recall@1 0.000 &lt;" in (bundle.path / "report" / "index.html").read_text()
    figures = bundle.manifest.evaluation
    assert figures is not None and figures.untrained is not None
    assert figures.metrics["recall@1"] == pytest.approx(figures.untrained["recall@1"], abs=0.03)
    # What was trained is not lost: it is taken up where it ended.
    monkeypatch.setattr(
        "trainer.fit.training.fit_heads", lambda *_: pytest.fail("fitted once more")
    )
    assert run(data, force=True, resume=True) == "mine/2"
    assert model_store.active_version(store, "mine") == "1"


def test_what_is_worse_and_forced_does_not_serve(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "_problem", lambda *_: "It is worse.")
    assert run(data, force=True) == "mine/1"
    assert not (data.parent / "store" / "mine" / "active").exists()


@pytest.mark.usefixtures("worse")
def test_what_is_adapted_alone_is_never_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the very thing that it would be compared with."""
    monkeypatch.setattr(ladder, "choose", lambda rungs: rungs[1])
    assert run(data) == "mine/1"
    assert model_store.active_version(data.parent / "store", "mine") == "1"


def test_a_forced_version_leaves_the_active_one_serving(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = data.parent / "store"
    assert run(data) == "mine/1"
    monkeypatch.setattr(publication, "_problem", lambda *_: "It is worse.")
    assert run(data, force=True) == "mine/2"
    assert model_store.active_version(store, "mine") == "1"


def test_without_classes_to_hold_out_it_is_refused_before_the_work(tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 2, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.run.fit", lambda *_, **__: pytest.fail("it was trained"))
        with pytest.raises(NotShownBetter, match=r"too few classes to hold any out.*--force"):
            run(data)
    assert run(data, force=True) == "mine/1"
    bundle = model_store.resolve(tmp_path / "store", "mine/1")
    assert bundle.manifest.evaluation is None
    assert not (tmp_path / "store" / "mine" / "active").exists()


def test_validation_classes_alone_are_a_measurement(data: Path) -> None:
    assert run(data, test_fraction=0) == "mine/1"
    assert model_store.active_version(data.parent / "store", "mine") == "1"
