"""The batches of an epoch: how many, for how many replicas, and of which images."""

import numpy as np
import pytest

from trainer.batches.batch_sampler import BatchSampler
from trainer.config import BatchConfig
from trainer.errors import DataError

# Ten classes of three images, and two of one.
LABELS = [*(place // 3 for place in range(30)), 10, 11]


def sampler(replicas: int = 1, labels: list[int] = LABELS, **values: object) -> BatchSampler:
    few = {"classes": 4, "images_per_class": 2}
    config = BatchConfig.model_validate({**few, **values})
    return BatchSampler(labels, config, replicas=replicas)


def epoch(drawn: BatchSampler, seed: int = 0) -> list[list[int]]:
    return [batch.tolist() for batch in drawn.epoch(np.random.default_rng(seed), None)]


@pytest.mark.parametrize(("replicas", "steps", "count"), [(1, 4, 4), (2, 2, 4), (5, 1, 5)])
def test_every_replica_has_a_batch_in_every_step(replicas: int, steps: int, count: int) -> None:
    """Thirty images in batches of eight are four."""
    drawn = sampler(replicas)
    batches = epoch(drawn)
    assert (drawn.steps, drawn.count, len(batches)) == (steps, count, count)
    assert {len(batch) for batch in batches} == {drawn.batch_size} == {8}
    shown = {LABELS[place] for batch in batches for place in batch}
    assert shown == set(range(10)), "every class of two images"


def test_the_number_of_batches_can_be_set() -> None:
    assert len(epoch(sampler(steps_per_epoch=7))) == 7
    assert len(epoch(sampler(3, steps_per_epoch=7))) == 9


def test_batches_follow_the_seed() -> None:
    drawn = sampler()
    assert epoch(drawn, 1) == epoch(drawn, 1) != epoch(drawn, 2)


def test_single_images_have_their_share() -> None:
    batches = epoch(sampler(single_images=0.5))
    assert all(batch[-4:] in ([30, 30, 31, 31], [31, 31, 30, 30]) for batch in batches)
    # All thirty-two images take part.
    assert len(batches) == 4


def test_few_classes_give_more_images_each_to_fill_a_batch() -> None:
    labels = np.repeat(np.arange(3), 8).tolist()
    drawn = sampler(labels=labels, classes=32, images_per_class=3)
    assert (drawn.batch_size, drawn.count) == (96, 1)
    (batch,) = epoch(drawn)
    assert np.bincount(np.array(labels)[batch]).tolist() == [32, 32, 32]
    assert set(batch) == set(range(24)), "every image, four times"


def test_hard_classes_keep_neighbours_together() -> None:
    neighbours = np.array([[c ^ 1] for c in range(12)])
    drawn = sampler(hard_classes=0.5, classes=2, steps_per_epoch=5)
    for batch in drawn.epoch(np.random.default_rng(0), neighbours):
        first, second = sorted({LABELS[place] for place in batch.tolist()})
        assert second == first ^ 1


@pytest.mark.parametrize("labels", [[0, 0, 1], [0, 1, 2], [0, 0, 0]])
def test_classes_without_pairs_are_refused(labels: list[int]) -> None:
    with pytest.raises(DataError):
        sampler(labels=labels)
