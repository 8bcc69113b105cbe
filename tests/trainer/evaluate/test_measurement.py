"""What a measurement keeps of every query, against a naive loop over everything."""

from pathlib import Path

import numpy as np
import pytest

from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from tests.trainer.evaluate.test_retrieval import random_vectors
from trainer.data.records import read_data
from trainer.evaluate import ranks
from trainer.evaluate.embedding import embed_files
from trainer.evaluate.measurement import Measurement, on_same_queries
from trainer.evaluate.retrieval import (
    measure_queries,
    measure_records,
    queries_and_gallery,
    retrieval,
)


def check(found: Measurement, queries: Path, gallery: Path, own: bool) -> None:
    encoder = FakeEncoder()
    asked, answers = (
        embed_files(encoder, [record.path for record in read_data(folder)])
        for folder in (queries, gallery)
    )
    assert found.paths == asked.paths
    assert found.gallery_paths == answers.paths
    for i, (path, vector) in enumerate(zip(asked.paths, asked.vectors, strict=True)):
        others = [j for j, other in enumerate(answers.paths) if not (own and other == path)]
        away = {
            j: float(np.linalg.norm(answers.vectors[j].astype(np.float64) - vector)) for j in others
        }
        others.sort(key=lambda j: (away[j], j))
        hits = [answers.paths[j].parent.name == path.parent.name for j in others]
        right = sum(hits)
        assert found.labels[i] == path.parent.name
        assert found.embeddings[i].tolist() == vector.tolist()
        assert found.ranks[i] == hits.index(True) + 1
        assert found.r_precision[i] == pytest.approx(sum(hits[:right]) / right)
        precisions = [sum(hits[: n + 1]) / (n + 1) for n in range(right) if hits[n]]
        assert found.average_precision[i] == pytest.approx(sum(precisions) / right)
        top = found.answers(i)
        assert [answer.path for answer in top] == [answers.paths[j] for j in others[:5]]
        assert [answer.right for answer in top] == hits[:5]
        assert [answer.distance for answer in top] == pytest.approx([away[j] for j in others[:5]])
        for k in (1, 3, 50):
            assert found.hits(k)[i] == any(hits[:k])


def test_every_query_equals_a_naive_loop(tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 12, 3)
    check(measure_records(FakeEncoder(), read_data(data)), data, data, own=True)
    queries = draw_classes(tmp_path / "test" / "queries", 8, 2)
    gallery = draw_classes(tmp_path / "test" / "gallery", 10, 4)
    found = measure_queries(FakeEncoder(), queries, gallery)
    check(found, queries, gallery, own=False)
    folders = queries_and_gallery(tmp_path / "test")
    assert folders == (queries, gallery)
    laid_out = measure_queries(FakeEncoder(), *folders)
    assert laid_out.figures() == found.figures()
    assert laid_out.protocol == "every image of queries searched in gallery"


def test_a_right_answer_far_down_has_its_exact_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_QUERIES", 5)
    monkeypatch.setattr(ranks, "_GALLERY", 17)
    data, other = random_vectors(30, 2, 0), random_vectors(30, 3, 1)
    for queries, gallery in ((data, None), (data, other)):
        answers = gallery or queries
        rows = np.arange(0, 60, 2)
        found = ranks.first_ranks(queries, gallery, rows)
        for row, rank in zip(rows, found, strict=True):
            others = [j for j in range(len(answers.labels)) if gallery or j != row]
            others.sort(key=lambda j: float(np.linalg.norm(answers.vectors[j] - data.vectors[row])))
            hits = [answers.labels[j] == queries.labels[row] for j in others]
            assert rank == hits.index(True) + 1
        assert found.max() > 10


def test_figures_are_the_means_of_the_queries(tmp_path: Path) -> None:
    data = draw_classes(tmp_path, 9, 3)
    (data / "class000" / "broken.png").write_bytes(b"no image")
    (data / "class009").mkdir()
    (data / "class009" / "alone.png").write_bytes((data / "class001/image00.png").read_bytes())
    found = measure_records(FakeEncoder(), read_data(data))
    figures = found.figures()
    for name, values in found.per_query().items():
        assert values.shape == (27,)
        assert figures[name] == pytest.approx(values.mean(), abs=5e-5)
    assert (figures["queries"], figures["gallery"], figures["without_match"]) == (27, 27, 1)
    assert list(figures["bad"]) == [str(data / "class000" / "broken.png")]


def test_a_small_gallery_gives_fewer_than_five_answers(tmp_path: Path) -> None:
    found = measure_records(FakeEncoder(), read_data(draw_classes(tmp_path, 2, 2)))
    assert [len(found.answers(query)) for query in range(4)] == [3] * 4
    assert (found.top[:, 3:] == -1).all()
    assert np.isnan(found.top_distances[:, 3:]).all()


def test_two_measurements_are_compared_on_the_queries_of_both(tmp_path: Path) -> None:
    data = draw_classes(tmp_path, 4, 3)
    whole = measure_records(FakeEncoder(), read_data(data))
    part, turned = whole.select([0, 2, 5]), whole.select([11, 5, 2, 1])
    first, second = on_same_queries(part, turned)
    assert list(first.paths) == list(second.paths) == [whole.paths[2], whole.paths[5]]
    assert first.ranks.tolist() == second.ranks.tolist() == whole.ranks[[2, 5]].tolist()
    assert second.embeddings.tolist() == whole.embeddings[[2, 5]].tolist()
    assert on_same_queries(whole, whole) == (whole, whole)


def test_the_short_way_gives_the_figures_of_the_measurement(tmp_path: Path) -> None:
    data = draw_classes(tmp_path, 6, 4)
    found = measure_records(FakeEncoder(), read_data(data))
    from trainer.evaluate.embedding import Labelled

    short = retrieval(Labelled(found.embeddings, found.labels))
    assert short == {name: found.figures()[name] for name in short}
