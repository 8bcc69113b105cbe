"""P × K batches: what is in them, and what is never in them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.batches import sampling
from trainer.batches.sampling import (
    BatchShape,
    batch_shape,
    class_centroids,
    epoch_batches,
    neighbour_classes,
    steps_per_epoch,
)
from trainer.errors import DataError

Sizes = st.lists(st.integers(1, 6), min_size=2, max_size=20).filter(
    lambda sizes: sum(size > 1 for size in sizes) > 1
)


def labels_of(sizes: list[int]) -> list[int]:
    return [label for label, size in enumerate(sizes) for _ in range(size)]


@pytest.mark.parametrize(
    ("sizes", "shape", "steps"),
    [
        # As many images as there are, whatever the classes hold.
        ([100] * 32, (32, 3), 34),
        ([10] * 320, (32, 3), 34),
        ([2] * 100, (32, 3), 3),
        # Few classes make a batch as large by more images of each.
        ([50, 50, 50], (3, 32), 2),
        ([2, 2], (2, 48), 1),
        ([2000, 5, 5], (3, 32), 21),
        # Classes of one image take no part.
        ([1, 1, 1, 4, 4], (2, 48), 1),
    ],
)
def test_an_epoch_has_as_many_images_as_there_are(
    sizes: list[int], shape: tuple[int, int], steps: int
) -> None:
    labels = labels_of(sizes)
    found = batch_shape(labels, 32, 3)
    assert (found.classes, found.images, found.singles) == (*shape, 0)
    assert found.size == shape[0] * shape[1]
    assert steps_per_epoch(labels, found) == steps


def test_classes_of_one_image_fill_a_share_of_a_batch_and_count() -> None:
    labels = labels_of([1] * 90 + [3] * 10)
    found = batch_shape(labels, 32, 3, 0.25)
    assert found == BatchShape(18, 5, 8)
    assert steps_per_epoch(labels, found) == 2
    assert batch_shape(labels, 2, 3, 0.9) == BatchShape(2, 3, 0), "two classes with pairs at least"


@settings(deadline=None)
@given(sizes=Sizes, classes=st.integers(2, 8), images=st.integers(2, 5), seed=st.integers(0, 99))
def test_a_batch_has_p_classes_of_k_images(
    sizes: list[int], classes: int, images: int, seed: int
) -> None:
    labels = labels_of(sizes)
    usable = {label for label, size in enumerate(sizes) if size > 1}
    shape = batch_shape(labels, classes, images)
    assert shape.classes == min(classes, len(usable))
    assert images <= shape.images <= max(images, classes * images // shape.classes)
    rounds = -(-len(usable) // shape.classes)
    seen = set()
    for batch in epoch_batches(labels, shape, np.random.default_rng(seed), steps=rounds):
        drawn = [labels[place] for place in batch]
        counts = Counter(drawn)
        assert set(counts.values()) == {shape.images}
        assert len(counts) == shape.classes
        for label in counts:
            places = [p for p in batch if labels[p] == label]
            assert len(set(places)) == min(shape.images, sizes[label]), (
                "no repeat before all are used"
            )
        seen |= set(drawn)
    assert seen == usable, "the classes come round"


SHAPE = BatchShape(4, 2)


def test_classes_are_drawn_anew_each_epoch() -> None:
    labels = labels_of([3] * 40)
    rng = np.random.default_rng(0)
    first, second = (
        [b.tolist() for b in epoch_batches(labels, SHAPE, rng, steps=5)] for _ in range(2)
    )
    assert first != second


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="two images"):
        batch_shape([0, 0, 1], 2, 2)


def test_steps_bring_the_classes_round_again() -> None:
    labels = labels_of([2] * 10)
    batches = list(epoch_batches(labels, SHAPE, np.random.default_rng(0), steps=25))
    assert len(batches) == 25
    counts: Counter[int] = Counter()
    for batch in batches:
        drawn = {labels[place] for place in batch}
        assert len(drawn) == 4
        counts.update(drawn)
    # 25 batches of 4 are 8 rounds of three batches and one more: each round shows every class.
    assert min(counts[c] for c in range(10)) >= 8
    few = list(epoch_batches(labels, SHAPE, np.random.default_rng(0), steps=1))
    assert np.array_equal(few[0], batches[0])


@settings(deadline=None)
@given(sizes=Sizes, classes=st.integers(4, 8), share=st.floats(0.1, 0.9), seed=st.integers(0, 99))
def test_classes_of_one_image_take_their_share(
    sizes: list[int], classes: int, share: float, seed: int
) -> None:
    labels = labels_of(sizes)
    alone = {label for label, size in enumerate(sizes) if size == 1}
    paired = set(range(len(sizes))) - alone
    shape = batch_shape(labels, classes, 3, share)
    assert shape.singles == min(round(share * classes), len(alone), classes - 2)
    rounds = -(-len(paired) // (shape.classes - shape.singles))
    batches = list(epoch_batches(labels, shape, np.random.default_rng(seed), steps=rounds))
    for batch in batches:
        counts = Counter(labels[place] for place in batch)
        assert set(counts.values()) == {shape.images}
        assert len(alone & set(counts)) == shape.singles
    assert paired <= {labels[place] for batch in batches for place in batch}


@settings(deadline=None, max_examples=50)
@given(sizes=Sizes, hard=st.floats(0, 1), seed=st.integers(0, 99))
def test_hard_batches_still_show_every_class_and_none_twice(
    sizes: list[int], hard: float, seed: int
) -> None:
    labels = labels_of(sizes)
    usable = {label for label, size in enumerate(sizes) if size > 1}
    rng = np.random.default_rng(seed)
    near = neighbour_classes(rng.normal(size=(len(sizes), 3)).astype(np.float32), 5)
    shape = batch_shape(labels, 4, 2)
    rounds = -(-len(usable) // shape.classes)
    batches = list(epoch_batches(labels, shape, rng, steps=rounds, neighbours=near, hard=hard))
    for batch in batches:
        counts = Counter(labels[place] for place in batch)
        assert set(counts.values()) == {shape.images}
        assert len(counts) == shape.classes
    assert {labels[place] for batch in batches for place in batch} == usable


def test_hard_batches_hold_neighbours() -> None:
    # 20 classes in 5 clusters of 4; a class of one image is in each, and never drawn.
    centroids = np.repeat(np.arange(5), 5)[:, None] * 10.0 + np.tile(np.arange(5) * 0.1, 5)[:, None]
    near = neighbour_classes(centroids.astype(np.float32), 4)
    labels = [c for c in range(25) for _ in range(1 if c % 5 == 2 else 3)]

    def clusters(hard: float) -> list[int]:
        rng = np.random.default_rng(0)
        batches = epoch_batches(labels, SHAPE, rng, steps=5, neighbours=near, hard=hard)
        return [len({labels[place] // 5 for place in batch}) for batch in batches]

    assert clusters(1.0) == [1] * 5, "each batch is one cluster"
    assert np.mean(clusters(0.0)) > 2
    assert 1 < np.mean(clusters(0.5)) < np.mean(clusters(0.0))


def test_without_neighbours_a_hard_share_changes_nothing_and_a_state_gives_one_epoch() -> None:
    labels = np.repeat(np.arange(40), 3).tolist()
    near = neighbour_classes(np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32), 8)

    def epoch(hard: float, neighbours: np.ndarray | None) -> list[list[int]]:
        rng = np.random.default_rng(7)
        shape = BatchShape(8, 2)
        batches = epoch_batches(labels, shape, rng, neighbours=neighbours, hard=hard, steps=9)
        return [batch.tolist() for batch in batches]

    assert epoch(0.5, None) == epoch(0.0, None) == epoch(0.0, near)
    assert epoch(0.5, near) == epoch(0.5, near) != epoch(0.5, None)


@pytest.mark.parametrize("chunk", [1, 7, 512])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbour_classes_equal_a_naive_loop(
    chunk: int, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_CHUNK", chunk)
    centroids = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    expected = [
        sorted(
            (other for other in range(30) if other != own),
            key=lambda other: float(((centroids[own] - centroids[other]) ** 2).sum()),
        )[:k]
        for own in range(30)
    ]
    assert neighbour_classes(centroids, k).tolist() == expected
    assert neighbour_classes(centroids[:1], k).shape == (1, 0)


def test_centroids_equal_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(50, 4)), [*range(6), *rng.integers(0, 6, 44).tolist()]
    found = class_centroids(embeddings, labels)
    assert found.dtype == np.float32
    for label in range(6):
        rows = [embeddings[i] for i, other in enumerate(labels) if other == label]
        assert np.allclose(found[label], sum(rows) / len(rows), atol=1e-6)
