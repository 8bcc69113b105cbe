"""Scores of the default model's checks against a naive search."""

from pathlib import Path

import numpy as np
import pytest

from app.bundle.whitening import fit_whitening
from app.testing import FakeEncoder
from benchmarks.default_model.checks import Check, Picture
from benchmarks.default_model.scores import embed, measure, scores
from tests.support.drawings import draw_classes
from tests.support.images import picture
from trainer.errors import DataError


def naive(
    query: np.ndarray, label: str, gallery: np.ndarray, answers: np.ndarray, own: int | None
) -> tuple[float, float, float]:
    places = [place for place in range(len(gallery)) if place != own]
    places.sort(key=lambda place: (float(((query - gallery[place]) ** 2).sum()), place))
    right = [answers[place] == label for place in places]
    count = sum(right)
    precision = sum(sum(right[: i + 1]) / (i + 1) for i in range(count) if right[i]) / count
    return float(right[0]), float(any(right[:5])), precision


@pytest.mark.parametrize("own", [False, True])
def test_scores_are_those_of_a_naive_search(own: bool) -> None:
    rng = np.random.default_rng(3)
    # Few distinct values, so that there are ties.
    queries = rng.integers(0, 3, (300, 3)).astype(np.float32)
    labels = rng.choice(["a", "b", "c", "d"], 300)
    gallery = queries if own else rng.integers(0, 3, (90, 3)).astype(np.float32)
    answers = labels if own else rng.choice(["a", "b", "c", "d"], 90)
    found = scores(queries, labels, gallery, answers, np.arange(300) if own else None)
    for i in range(300):
        expected = naive(queries[i], labels[i], gallery, answers, i if own else None)
        got = (found["recall@1"][i], found["recall@5"][i], found["map@r"][i])
        assert got == pytest.approx(expected)


def pictures(folder: Path) -> list[Picture]:
    return [
        Picture(path, path.parent.name, (path.stem,)) for path in sorted(folder.glob("*/*.png"))
    ]


def test_a_check_is_measured_whole_and_by_part(tmp_path: Path) -> None:
    found = pictures(draw_classes(tmp_path, 4, 3))
    done: list[int] = []
    check = Check("shapes", found)
    results = measure(check, FakeEncoder(), FakeEncoder(), done.append)
    assert sum(done) == 12
    assert [result.part for result in results] == [None, "image00", "image01", "image02"]
    assert [result.queries for result in results] == [12, 4, 4, 4]
    whole, *parts = results
    assert whole.gallery == 11
    for figure in ("recall@1", "recall@5", "map@r"):
        row = whole.row(figure)
        assert row.first.low <= row.first.value <= row.first.high
        gained = row.second.value - row.first.value
        assert row.difference.value == pytest.approx(gained)
        mean = np.mean([part.row(figure).first.value for part in parts])
        assert mean == pytest.approx(row.first.value)


def test_what_is_untrained_is_whitened_on_the_gallery(tmp_path: Path) -> None:
    found = pictures(draw_classes(tmp_path, 5, 3))
    queries, gallery = found[::2], found[1::2]
    encoder = FakeEncoder()
    (of_queries,), (of_gallery,) = (
        embed([encoder], those, lambda _: None) for those in (queries, gallery)
    )
    linear = fit_whitening(of_gallery, encoder.dimension)
    labels, answers = (np.array([p.label for p in those]) for those in (queries, gallery))
    first = scores(linear(of_queries), labels, linear(of_gallery), answers)
    second = scores(of_queries, labels, of_gallery, answers)
    whole = measure(Check("shapes", queries, gallery), encoder, encoder, lambda _: None)[0]
    for figure in ("recall@1", "recall@5", "map@r"):
        assert whole.row(figure).first.value == pytest.approx(first[figure].mean())
        assert whole.row(figure).second.value == pytest.approx(second[figure].mean())


def test_copies_are_found_among_their_originals(tmp_path: Path) -> None:
    found = pictures(draw_classes(tmp_path, 3, 2))
    originals = [Picture(p.path, str(p.path)) for p in found]
    copies = [Picture(p.path, str(p.path), edit="recompress", key="0") for p in found]
    whole = measure(
        Check("copies", copies, originals), FakeEncoder(), FakeEncoder(), lambda _: None
    )[0]
    assert whole.row("recall@1").second.value == 1
    assert whole.row("map@r").second.value == 1
    wrong = [*originals[1:], originals[0]]
    swapped = [Picture(p.path, w.label) for p, w in zip(originals, wrong, strict=True)]
    whole = measure(Check("copies", copies, swapped), FakeEncoder(), FakeEncoder(), lambda _: None)[
        0
    ]
    assert whole.row("recall@1").second.value == 0


def test_a_kind_with_one_picture_is_not_asked_for_but_may_be_a_wrong_answer(tmp_path: Path) -> None:
    found = pictures(draw_classes(tmp_path, 2, 2))
    lonely = Picture(found[0].path, "lonely")
    result = measure(Check("kinds", [*found, lonely]), FakeEncoder(), FakeEncoder(), lambda _: None)
    assert (result[0].queries, result[0].gallery) == (4, 4)
    # The lonely picture is the first one again, and so its nearest.
    assert result[0].row("recall@1").first.value < 1
    with pytest.raises(DataError, match="no query has a match"):
        measure(Check("kinds", [lonely]), FakeEncoder(), FakeEncoder(), lambda _: None)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png cannot be read"):
        embed([FakeEncoder()], [Picture(tmp_path / "gone.png", "a")], lambda _: None)
    (tmp_path / "broken.png").write_bytes(picture()[:60])
    with pytest.raises(DataError, match=r"broken\.png"):
        embed([FakeEncoder()], [Picture(tmp_path / "broken.png", "a")], lambda _: None)
    (tmp_path / "text.png").write_text("no picture")
    for edit in (None, "crop"):
        with pytest.raises(DataError, match=r"text\.png"):
            embed([FakeEncoder()], [Picture(tmp_path / "text.png", "a", edit=edit)], lambda _: None)
    with pytest.raises(ValueError, match="sizes"):
        embed([FakeEncoder(), FakeEncoder(64)], [], lambda _: None)
