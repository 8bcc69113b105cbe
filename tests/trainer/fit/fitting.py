"""Fits a tiny network on drawings, for the tests beside."""

import numpy as np

from tests.support.tiny_network import build, config
from trainer.data.cache import ImageCache
from trainer.fit.training import History, fit
from trainer.network.embedder import Network

Data = tuple[ImageCache, ImageCache]


Weights = list[np.ndarray]


def fitted(data: Data, **values: object) -> tuple[Network, Weights, History]:
    """A fitted network, the weights it began with, and its history."""
    chosen = config(**values)
    network = build(chosen)
    before = network.embedder.get_weights()
    return network, before, fit(network, *data, chosen)


def without_validation(data: Data) -> Data:
    return data[0], data[1].subset(np.arange(0))


def close(mine: Weights, theirs: Weights, tolerance: float = 1e-6) -> bool:
    return all(np.allclose(a, b, atol=tolerance, rtol=0) for a, b in zip(mine, theirs, strict=True))
