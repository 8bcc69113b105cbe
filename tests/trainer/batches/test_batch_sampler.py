"""The batches of an epoch: how many, for how many replicas, and of which images."""

import numpy as np
import pytest

from trainer.batches.batch_sampler import BatchSampler
from trainer.config import BatchConfig
from trainer.errors import DataError

# Ten classes of three images, and two of one.
LABELS = [*(place // 3 for place in range(30)), 10, 11]


def sampler(
    replicas: int = 1,
    labels: list[int] = LABELS,
    *,
    fixed_triplets: bool = False,
    **values: object,
) -> BatchSampler:
    few = {"classes": 4, "images_per_class": 2}
    config = BatchConfig.model_validate({**few, **values})
    return BatchSampler(labels, config, replicas=replicas, fixed_triplets=fixed_triplets)


def epoch(drawn: BatchSampler, seed: int = 0) -> list[list[int]]:
    return [batch.tolist() for batch in drawn.epoch(np.random.default_rng(seed), None)]


@pytest.mark.parametrize(("replicas", "steps", "count"), [(1, 3, 3), (2, 2, 4), (5, 1, 5)])
def test_every_replica_has_a_batch_in_every_step(replicas: int, steps: int, count: int) -> None:
    drawn = sampler(replicas)
    batches = epoch(drawn)
    assert (drawn.steps, drawn.count, len(batches)) == (steps, count, count)
    assert {len(batch) for batch in batches} == {drawn.batch_size} == {8}
    shown = {LABELS[place] for batch in batches for place in batch}
    assert shown == set(range(10)), "every class of two images"


def test_the_number_of_batches_can_be_set() -> None:
    assert len(epoch(sampler(steps_per_epoch=7))) == 7
    assert len(epoch(sampler(3, steps_per_epoch=7))) == 9
    assert len(epoch(sampler(3, fixed_triplets=True, steps_per_epoch=7))) == 9


def test_batches_follow_the_seed() -> None:
    drawn = sampler()
    assert epoch(drawn, 1) == epoch(drawn, 1) != epoch(drawn, 2)


def test_single_images_have_their_share() -> None:
    batches = epoch(sampler(single_images=0.5))
    assert all(batch[-4:] in ([30, 30, 31, 31], [31, 31, 30, 30]) for batch in batches)
    # Two of the four classes are left for the ten.
    assert len(batches) == 5


def test_hard_classes_keep_neighbours_together() -> None:
    neighbours = np.array([[c ^ 1] for c in range(12)])
    drawn = sampler(hard_classes=0.5, classes=2, steps_per_epoch=5)
    for batch in drawn.epoch(np.random.default_rng(0), neighbours):
        first, second = sorted({LABELS[place] for place in batch.tolist()})
        assert second == first ^ 1


def test_fixed_triplets_are_the_same_in_every_epoch_in_another_order() -> None:
    drawn = sampler(fixed_triplets=True, classes=2, images_per_class=3)
    assert drawn.batch_size == 6

    def triplets(seed: int) -> list[tuple[int, ...]]:
        # All anchors, then all positives, then all negatives.
        return [
            t
            for batch in epoch(drawn, seed)
            for t in zip(batch[:2], batch[2:4], batch[4:], strict=True)
        ]

    first, second = triplets(0), triplets(1)
    assert sorted(first) == sorted(second)
    assert first != second
    assert len(first) == 32
    for anchor, positive, negative in first:
        assert LABELS[anchor] == LABELS[positive] != LABELS[negative]
        assert anchor != positive
    again = sampler(fixed_triplets=True, classes=2, images_per_class=3)
    assert epoch(again) == epoch(drawn), "also after an interruption"


def test_a_batch_is_at_least_one_triplet() -> None:
    drawn = sampler(fixed_triplets=True, classes=2, images_per_class=2)
    assert (drawn.batch_size, drawn.count) == (3, 32)


@pytest.mark.parametrize("labels", [[0, 0, 1], [0, 1, 2], [0, 0, 0]])
def test_classes_without_pairs_are_refused(labels: list[int]) -> None:
    with pytest.raises(DataError):
        epoch(sampler(labels=labels))
