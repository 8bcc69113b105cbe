"""P × K batches: what is in them, and what is never in them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.errors import DataError
from trainer.sampling import epoch_batches, group_by_class, steps_per_epoch


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=20).filter(
        lambda s: sum(n > 1 for n in s) > 1
    ),
    classes=st.integers(2, 8),
    images=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_a_batch_has_p_classes_of_k_images(
    sizes: list[int], classes: int, images: int, seed: int
) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    usable = {label for label, size in enumerate(sizes) if size > 1}
    batches = list(epoch_batches(labels, classes, images, np.random.default_rng(seed)))
    assert len(batches) == steps_per_epoch(labels, classes)
    seen = set()
    for batch in batches:
        drawn = [labels[place] for place in batch]
        counts = Counter(drawn)
        assert set(counts.values()) == {images}
        assert len(counts) == min(classes, len(usable))
        for label in counts:
            places = [p for p in batch if labels[p] == label]
            assert len(set(places)) == min(images, sizes[label]), "no repeat before all are used"
        seen |= set(drawn)
    assert seen == usable, "an epoch shows every class"


def test_classes_are_drawn_anew_each_epoch() -> None:
    labels = np.repeat(np.arange(40), 3).tolist()
    rng = np.random.default_rng(0)
    first, second = ([b.tolist() for b in epoch_batches(labels, 8, 3, rng)] for _ in range(2))
    assert first != second


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="two images"):
        list(epoch_batches([0, 0, 1], 2, 2, np.random.default_rng(0)))
    assert [g.tolist() for g in group_by_class([5, 1, 5, 2])] == [[0, 2]]
