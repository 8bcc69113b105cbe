"""Which rung is published, what is said of them, and the average of two."""

import numpy as np
import pytest

from tests.trainer.losses.batches import unit
from trainer.fit import ladder
from trainer.fit.checkpoint import Weights
from trainer.fit.ladder import ADAPTED, AVERAGE, FINE_TUNED, HEAD, PRETRAINED, Rung, choose
from trainer.fit.validation import Scores

CLASSES = np.repeat(np.arange(20), 5)
NOISE = np.random.default_rng(0).normal(0, 0.05, len(CLASSES))


def scores(
    precision: float, hits: float = 0.8, *, noise: float = 0.0, classes: np.ndarray = CLASSES
) -> Scores:
    """Of each class the first ``hits`` of its queries are found; MAP@R is the same for all, but for ``noise``."""
    place = np.arange(len(classes)) % 5
    values = np.full(len(classes), precision) + noise * NOISE[: len(classes)]
    return Scores(place < round(hits * 5), values, classes.astype(np.int64))


def rung(name: str, of: Scores | None) -> Rung:
    return Rung(name, [np.zeros(2)], of)


def chosen(*trained: tuple[str, Scores | None], plain: Scores | None, base: Scores | None) -> str:
    rungs = [rung(PRETRAINED, plain), rung(ADAPTED, base), *(rung(*one) for one in trained)]
    return choose(rungs).name


def test_where_nothing_is_held_out_it_is_the_middle_of_what_was_trained() -> None:
    tuned = [(HEAD, None), (AVERAGE, None), (FINE_TUNED, None)]
    assert chosen(*tuned, plain=None, base=None) == AVERAGE
    assert chosen((HEAD, None), plain=None, base=None) == HEAD


def test_the_best_of_several_that_are_better() -> None:
    tuned = ((HEAD, scores(0.6)), (AVERAGE, scores(0.7)), (FINE_TUNED, scores(0.65)))
    assert chosen(*tuned, plain=scores(0.4), base=scores(0.5)) == AVERAGE


def test_what_is_no_better_or_worse_is_not_taken() -> None:
    for precision in (0.5, 0.45):
        tuned = (FINE_TUNED, scores(precision))
        assert chosen(tuned, plain=scores(0.4), base=scores(0.5)) == ADAPTED


def test_a_gain_of_less_than_a_standard_error_is_not_taken() -> None:
    noisy = scores(0.5, noise=1.0)
    means = [NOISE[number == CLASSES].mean() for number in range(20)]
    error = np.std(means, ddof=1) / np.sqrt(20)
    for gain, expected in ((0.5 * error, ADAPTED), (1.5 * error, FINE_TUNED)):
        better = Scores(noisy.hits, np.full(100, 0.5 + gain + NOISE.mean()), noisy.classes)
        assert chosen((FINE_TUNED, better), plain=scores(0.1), base=noisy) == expected


def test_one_class_shows_nothing() -> None:
    alone = np.zeros(5, np.int64)
    tuned = (FINE_TUNED, scores(1.0, classes=alone))
    assert chosen(tuned, plain=scores(0.1, classes=alone), base=scores(0.2, classes=alone)) == (
        ADAPTED
    )


def test_a_recall_that_is_clearly_worse_vetoes() -> None:
    tuned = (FINE_TUNED, scores(0.9, hits=0.6))
    assert chosen(tuned, (HEAD, scores(0.6)), plain=scores(0.4), base=scores(0.5)) == HEAD


def test_plain_features_are_published_where_adapting_does_harm() -> None:
    assert chosen(plain=scores(0.6), base=scores(0.5)) == PRETRAINED
    # A trained rung has to beat those then.
    tuned = (FINE_TUNED, scores(0.55))
    assert chosen(tuned, plain=scores(0.6), base=scores(0.5)) == PRETRAINED
    tuned = (FINE_TUNED, scores(0.7))
    assert chosen(tuned, plain=scores(0.6), base=scores(0.5)) == FINE_TUNED


def test_an_average_is_a_share_of_each() -> None:
    first: Weights = [unit(3, 0), np.zeros(2)]
    last: Weights = [unit(3, 1), np.ones(2)]
    for share in (0, 0.25, 1):
        weights = ladder.averaged(first, last, share)
        assert np.allclose(weights[0], (1 - share) * first[0] + share * last[0])
        assert np.allclose(weights[1], share)
    assert ladder.SHARES == {"50% fine-tuned": 0.5, "fine-tuned": 1}


def test_the_ladder_is_said_and_written_with_its_intervals(
    capfd: pytest.CaptureFixture[str],
) -> None:
    rungs = [rung(PRETRAINED, scores(0.4, noise=1.0)), rung(ADAPTED, scores(0.5, noise=1.0))]
    ladder.show(rungs, rungs[1])
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].lstrip().startswith("pretrained")
    assert lines[1].startswith("→ adapted")
    assert "recall@1 0.800 (0.800–0.800), MAP@R 0.5" in lines[1]
    first, second = ladder.as_manifest(rungs, rungs[1])
    assert (first["name"], first["published"]) == (PRETRAINED, False)
    assert (second["name"], second["published"]) == (ADAPTED, True)
    value, low, high = second["map@r"]
    assert low < value < high
    assert value == pytest.approx(0.5 + NOISE.mean(), abs=1e-4)


def test_without_a_measurement_the_ladder_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    rungs = [rung(PRETRAINED, None), rung(ADAPTED, None)]
    ladder.show(rungs, rungs[1])
    assert capfd.readouterr().err.count("not measured") == 2
    assert ladder.as_manifest(rungs, rungs[1])[1] == {"name": ADAPTED, "published": True}
