"""What training is held to: the rungs from pretrained features upwards, and which of them is published.

A rung is a state of one and the same network. ``pretrained`` and ``adapted`` cost no labels; ``head``
has a head fitted to the labels on frozen features, ``fine-tuned`` one on those of a trained backbone.
Between those two lies the average of both backbones, which often holds better on what training did
not show than either: Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gemello.progress import say
from trainer.evaluate.bootstrap import interval
from trainer.fit.checkpoint import Weights
from trainer.fit.validation import Scores, clearly_worse, likely_better

PRETRAINED, ADAPTED, HEAD, FINE_TUNED = "pretrained", "adapted", "head", "fine-tuned"
AVERAGE = f"50% {FINE_TUNED}"
# Of the fine-tuned backbone in the rungs that have some of it.
SHARES = {AVERAGE: 0.5, FINE_TUNED: 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """``weights`` are those of the whole embedder; ``scores`` on the validation classes, None without any."""

    name: str
    weights: Weights
    scores: Scores | None

    @property
    def trained(self) -> bool:
        """Whether labels were used for it."""
        return self.name not in (PRETRAINED, ADAPTED)


def averaged(first: Weights, last: Weights, share: float) -> Weights:
    """Return ``share`` of ``last``, and of ``first`` the rest."""
    return [old + share * (new - old) for old, new in zip(first, last, strict=True)]


def choose(rungs: Sequence[Rung]) -> Rung:
    """Return the rung to publish.

    Of the trained rungs that are likely better than ``adapted`` by MAP@R, and not clearly worse by
    recall@1, the one with the best MAP@R. Where there is none it is ``adapted``, or ``pretrained`` where
    that holds against it in the same way. Where no class is held out, the middle of what was trained.
    """
    plain = next(rung for rung in rungs if rung.name == PRETRAINED)
    base = next(rung for rung in rungs if rung.name == ADAPTED)
    if base.scores is None:
        trained = [rung for rung in rungs if rung.trained]
        return trained[len(trained) // 2]
    if _holds(plain, base):
        base = plain
    candidates = [rung for rung in rungs if rung.trained and _holds(rung, base)]
    return max(candidates, key=_map_at_r, default=base)


def _holds(rung: Rung, base: Rung) -> bool:
    mine, before = rung.scores, base.scores
    if mine is None or before is None:
        return False
    return likely_better(mine.precision, before.precision, mine.classes) and not clearly_worse(
        mine.hits, before.hits, mine.classes
    )


def _map_at_r(rung: Rung) -> float:
    return rung.scores.map_at_r if rung.scores else 0.0


def show(rungs: Sequence[Rung], chosen: Rung) -> None:
    """Print each rung's figures with their intervals, and which one is published."""
    for rung in rungs:
        mark = "→" if rung is chosen else " "
        say(f"{mark} {rung.name:<14} {_figures(rung.scores)}")


def _figures(scores: Scores | None) -> str:
    if scores is None:
        return "not measured: no validation class has two images"
    parts = []
    for title, values in (("recall@1", scores.hits.astype(float)), ("MAP@R", scores.precision)):
        mean = interval(values, scores.classes)
        parts.append(f"{title} {mean.value:.3f} ({mean.low:.3f}–{mean.high:.3f})")
    return ", ".join(parts)


def as_manifest(rungs: Sequence[Rung], chosen: Rung) -> list[dict[str, Any]]:
    """Return the rungs' figures with their intervals for a manifest, in order."""
    return [
        {"name": rung.name, "published": rung is chosen, **_numbers(rung.scores)} for rung in rungs
    ]


def _numbers(scores: Scores | None) -> dict[str, list[float]]:
    """Value, low and high of each figure."""
    if scores is None:
        return {}
    figures = {"recall@1": scores.hits.astype(float), "map@r": scores.precision}
    means = {name: interval(values, scores.classes) for name, values in figures.items()}
    return {
        name: [round(number, 4) for number in (mean.value, mean.low, mean.high)]
        for name, mean in means.items()
    }
