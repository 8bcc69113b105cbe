"""Fitting, with a tiny backbone: every loss, every knob, and what is kept of them."""


import numpy as np
import pytest

from tests.tiny_network import build, caches, config
from trainer.cache import ImageCache
from trainer.fit import History, fit
from trainer.network import Network

Weights = list[np.ndarray]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageCache, ImageCache]:
    return caches(tmp_path_factory.mktemp("fit"), config())


def fitted(
    data: tuple[ImageCache, ImageCache], **values: object
) -> tuple[Network, Weights, History]:
    """A fitted network, the weights it began with, and its history."""
    chosen = config(**values)
    network = build(chosen)
    before = network.embedder.get_weights()
    history = fit(network, *data, chosen)
    return network, before, history


@pytest.mark.parametrize(
    "values",
    [
        {"mining": "all"},
        {"mining": "semi_hard", "soft_margin": True},
        {"mining": "batch_hard", "metric": "cosine", "memory": 12},
        {"mining": "distance_weighted", "semi_hard_epochs": 0},
        {"loss": "contrastive", "margin": 0.5, "distillation": 1.0},
        {"loss": "multi_similarity", "memory": 12, "hard_classes": 0.5, "ema": 0.9},
        {"loss": "proxy_anchor", "head": "dense", "single_images": 0.2, "pooling": "gem"},
        {"loss": "fixed_triplets", "frozen_stages": -1, "head_init": "random"},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_every_loss_trains(values: dict, data: tuple[ImageCache, ImageCache]) -> None:
    network, before, history = fitted(data, **values)
    stages = [epoch.stage for epoch in history.epochs]
    assert stages == ["head"] * (values.get("loss") != "fixed_triplets") + ["network"] * 2
    for epoch in history.epochs:
        assert np.isfinite([epoch.loss, epoch.active, epoch.distance, epoch.rank]).all()
        assert epoch.distance > 0.01
    moved = [
        np.abs(a - b).max() for a, b in zip(network.embedder.get_weights(), before, strict=True)
    ]
    assert max(moved) > 0
    embeddings = network.embedder.predict_on_batch(data[1].images[:5])
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
