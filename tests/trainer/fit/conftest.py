"""Data and modes that the tests of fitting share."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.tiny_network import caches, config
from tests.trainer.fit.fitting import Data
from trainer.batches import stream
from trainer.fit import fine_tuning


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return caches(tmp_path_factory.mktemp("fit"), config())


@pytest.fixture
def eager() -> Iterator[None]:
    """Steps run without a graph: for a few steps, building one takes longer than taking them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The first batch of every epoch, as the network sees it."""
    seen: list[np.ndarray] = []
    make = stream.stream

    def noted(*arguments: Any) -> Any:
        dataset = make(*arguments)
        seen.append(np.asarray(next(iter(dataset))[0]))
        return dataset

    monkeypatch.setattr(fine_tuning, "stream", noted)
    return seen
