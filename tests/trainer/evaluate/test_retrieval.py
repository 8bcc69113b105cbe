"""Figures of a search, against a naive loop over everything; and rankings written to a file."""

import json
from pathlib import Path

import numpy as np
import pytest

from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from trainer.data.records import read_data
from trainer.errors import DataError
from trainer.evaluate.rank import rank
from trainer.evaluate.retrieval import Labelled, measure_queries, measure_records, retrieval


def random_vectors(classes: int, images: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(classes, 8)), images, axis=0)
    vectors = (centres + 0.8 * rng.normal(size=centres.shape)).astype(np.float32)
    return Labelled(vectors, np.repeat([f"c{i}" for i in range(classes)], images).astype(object))


def naive(queries: Labelled, gallery: Labelled, own: bool) -> dict[str, float]:
    totals = dict.fromkeys(("recall@1", "recall@5", "recall@10", "map@r", "r_precision"), 0.0)
    for i, (q, label) in enumerate(zip(queries.vectors, queries.labels, strict=True)):
        others = [j for j in range(len(gallery.vectors)) if not (own and j == i)]
        others.sort(key=lambda j: float(np.linalg.norm(gallery.vectors[j].astype(np.float64) - q)))
        hits = [gallery.labels[j] == label for j in others]
        right = sum(hits)
        for k in (1, 5, 10):
            totals[f"recall@{k}"] += any(hits[:k])
        totals["r_precision"] += sum(hits[:right]) / right
        precisions = [sum(hits[: n + 1]) / (n + 1) for n in range(right) if hits[n]]
        totals["map@r"] += sum(precisions) / right
    return {name: total / len(queries.vectors) for name, total in totals.items()}


@pytest.mark.parametrize("seed", range(3))
def test_figures_equal_a_naive_loop(seed: int) -> None:
    data, other = random_vectors(12, 4, seed), random_vectors(12, 14, seed)
    for queries, gallery in ((data, None), (data, other)):
        figures = retrieval(queries, gallery)
        expected = naive(queries, gallery or queries, gallery is None)
        for name, value in expected.items():
            assert figures[name] == pytest.approx(value, abs=1e-4), name
        assert figures["queries"] == 48
        assert figures["gallery"] == (48 if gallery is None else 168)


def test_nothing_to_find_is_said() -> None:
    data = random_vectors(2, 2, 0)
    with pytest.raises(DataError, match="No query has a match"):
        retrieval(data.subset(np.zeros(4, bool)), data)


def test_folders_are_matched_by_class_and_bad_files_named(tmp_path: Path) -> None:
    queries = draw_classes(tmp_path / "q", 4, 2)
    gallery = draw_classes(tmp_path / "g", 3, 3)
    (gallery / "class000" / "broken.png").write_bytes(b"no image")
    done: list[int] = []
    figures = measure_queries(FakeEncoder(), queries, gallery, done.append).figures()
    # The same drawings are on both sides, so each query of a shared class finds itself.
    assert figures["recall@1"] == 1.0
    assert (figures["queries"], figures["gallery"], figures["without_match"]) == (6, 9, 2)
    assert list(figures["bad"]) == [str(gallery / "class000" / "broken.png")]
    assert sum(done) == 18


def test_a_query_is_not_its_own_answer(tmp_path: Path) -> None:
    data = draw_classes(tmp_path, 5, 2)
    figures = measure_records(FakeEncoder(), read_data(data)).figures()
    assert figures["recall@1"] < 1
    assert figures["queries"] == len(read_data(data)) == 10


def test_rank_writes_the_whole_gallery_for_every_query(tmp_path: Path) -> None:
    queries, gallery = draw_classes(tmp_path / "q", 2, 2), draw_classes(tmp_path / "g", 3, 2)
    (queries / "broken.png").write_bytes(b"no image")
    out = tmp_path / "ranks.json"
    bad = rank(FakeEncoder(), queries, gallery, out)
    assert list(bad) == [str(queries / "broken.png")]
    written = json.loads(out.read_text())
    assert (written["gallery"], len(written["queries"])) == (6, 4)
    for entry in written["queries"]:
        distances = [result["distance"] for result in entry["results"]]
        assert distances == sorted(distances)
        assert len({result["path"] for result in entry["results"]}) == 6
        assert (entry["results"][0]["path"], distances[0]) == (entry["query"], pytest.approx(0))


def test_rank_refuses_what_is_no_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not a folder"):
        rank(FakeEncoder(), tmp_path / "none", tmp_path, tmp_path / "o.json")
    with pytest.raises(DataError, match="no image that decodes"):
        rank(FakeEncoder(), tmp_path / "empty", tmp_path / "empty", tmp_path / "o.json")
    assert not list(tmp_path.glob("*.json"))
