"""Rows beside the untrained backbone, and their means over the seeds."""

from pathlib import Path

import numpy as np

from app.bundle.encoder import Vectors
from app.images.prepare import Pixels
from app.testing import FakeEncoder
from benchmarks.training.processes import Cost
from benchmarks.training.tables import markdown, means, row
from benchmarks.training.trainings import Trained
from tests.support.drawings import draw_classes
from trainer.evaluate.retrieval import measure_queries


class Noise(FakeEncoder):
    """Unit vectors that do not depend on the picture."""

    def embed(self, images: Pixels) -> Vectors:
        vectors = np.random.default_rng(0).normal(size=(len(images), self.dimension))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_row_has_its_costs_and_what_it_differs_by(tmp_path: Path) -> None:
    queries = draw_classes(tmp_path / "queries", 6, 2)
    gallery = draw_classes(tmp_path / "gallery", 6, 3)
    encoder, noise = FakeEncoder(), Noise()
    asked, before = (measure_queries(each, queries, gallery) for each in (encoder, noise))
    trained = Trained("Gemello: head", encoder, Cost(90.0, 2_000_000_000))
    measured = row("drawings", 1, 18, trained, asked, before)
    assert measured.recall_1 == asked.figures()["recall@1"] > before.figures()["recall@1"]
    assert measured.map_at_r == asked.figures()["map@r"]
    assert measured.recall_p.startswith("p ")
    assert (measured.minutes, measured.peak_mb) == (1.5, 2000)
    alone = row("drawings", 1, 18, Trained("untrained", noise, None), before, None)
    assert (alone.recall_p, alone.map_p, alone.minutes, alone.peak_mb) == ("", "", None, None)
    lines = markdown([alone, measured]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {11}

    other = row("drawings", 2, 18, Trained("Gemello: fine-tuned", encoder, None), before, before)
    over_seeds = {each.model: each for each in means([alone, measured, other])}
    assert list(over_seeds) == ["untrained", "Gemello"]
    ours = over_seeds["Gemello"]
    assert ours.seed == "mean of 2"
    assert ours.recall_1 == (measured.recall_1 + alone.recall_1) / 2
    assert (ours.minutes, over_seeds["untrained"].minutes) == (1.5, None)
