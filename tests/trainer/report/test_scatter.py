"""The map of embeddings."""

from pathlib import Path

import numpy as np
import pytest

from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from trainer.data.records import read_data
from trainer.evaluate.retrieval import measure_records
from trainer.report import scatter


def test_the_map_keeps_neighbours_together() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(6, 16)) * 5, 10, axis=0)
    vectors = (centres + rng.normal(size=centres.shape) * 0.1).astype(np.float32)
    places = scatter.layout(vectors)
    assert (places.min(), places.max()) == (0, 1)
    away = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(60)
    assert (away.argmin(axis=1) // 10 == np.arange(60) // 10).all()


@pytest.mark.parametrize(("count", "dimension"), [(1, 4), (2, 4), (3, 1), (12, 1), (12, 2)])
def test_the_map_takes_few_images_and_few_dimensions(count: int, dimension: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    places = scatter.layout(vectors)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
    assert scatter.layout(np.ones((count, dimension), np.float32)).tolist() == [[0.5, 0.5]] * count


def test_the_map_draws_whole_classes_of_queries_and_gallery(tmp_path: Path) -> None:
    draw_classes(tmp_path / "queries", 12, 1)
    draw_classes(tmp_path / "gallery", 12, 8)
    points = scatter.points(measure_records(FakeEncoder(), read_data(tmp_path)), limit=30)
    assert len(points) == len(set(points.paths)) == 30
    assert [path.parent.name for path in points.paths] == list(points.labels)
    counts = sorted(list(points.labels).count(label) for label in set(points.labels))
    assert counts == [6] * 5
