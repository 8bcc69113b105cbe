"""The head's epochs on frozen features."""

import pytest

from tests.trainer.fit.fitting import Data, close, fitted

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


@pytest.mark.usefixtures("eager")
def test_the_head_alone_leaves_the_backbone_as_it_is(data: Data) -> None:
    network, before, history = fitted(data, head_epochs=2, epochs=0)
    after = network.embedder.get_weights()
    assert close(after[:-1], before[:-1], 0)
    assert not close(after[-1:], before[-1:])
    assert [epoch.stage for epoch in history.epochs] == ["head", "head"]


@pytest.mark.usefixtures("eager")
def test_few_images_are_enough_for_the_head(data: Data) -> None:
    """``head_images`` of 9 are two classes of four images."""
    _, _, history = fitted(data, head_images=9, epochs=0)
    assert len(history.epochs) == 1
