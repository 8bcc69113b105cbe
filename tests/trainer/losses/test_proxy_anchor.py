"""Proxy-Anchor against a naive loop, and that its proxies learn."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from tests.trainer.losses.batches import cosine, labels, mean, seeds, unit
from trainer.losses.distances import cosine_similarity
from trainer.losses.proxy_anchor import ProxyAnchorLoss, proxy_anchor

CLASSES = 5


def naive(x: np.ndarray, y: np.ndarray, proxies: np.ndarray) -> tuple[float, float]:
    pull, push = [], []
    for number, proxy in enumerate(proxies):
        near = [cosine(v, proxy) for v, label in zip(x, y, strict=True) if label == number]
        far = [cosine(v, proxy) for v, label in zip(x, y, strict=True) if label != number]
        if near:
            pull.append(math.log(1 + sum(math.exp(-32 * (s - 0.1)) for s in near)))
        push.append(math.log(1 + sum(math.exp(32 * (s + 0.1)) for s in far)))
    active = []
    for v, label in zip(x, y, strict=True):
        others = [cosine(v, p) for number, p in enumerate(proxies) if number != label]
        active.append(max(others) + 0.1 > cosine(v, proxies[label]) - 0.1)
    return mean(pull) + mean(push), mean(active)


@settings(deadline=None, max_examples=40)
@given(labels, seeds)
def test_proxy_anchor_equals_a_naive_loop(y: np.ndarray, seed: int) -> None:
    x, proxies = unit(len(y), seed), 2 * unit(CLASSES, seed + 1)
    stats = proxy_anchor(cosine_similarity(x, proxies), tf.constant(y))
    loss, active = naive(x, y, proxies)
    assert float(stats.loss) == pytest.approx(loss, rel=1e-4, abs=1e-4)
    assert float(stats.active) == pytest.approx(active, abs=1e-5)


def test_proxies_and_embeddings_learn_the_classes() -> None:
    y = np.arange(12) % 3
    layer = ProxyAnchorLoss(3, 6, seed=1)
    x = keras.Variable(unit(12, 0))
    first = layer(x.value, y)
    optimizer = keras.optimizers.Adam(0.05)
    learnt = [x, *layer.trainable_variables]
    assert len(learnt) == 2
    for _ in range(60):
        with tf.GradientTape() as tape:
            stats = layer(x.value, y)
        gradients = tape.gradient(stats.loss, [v.value for v in learnt])
        optimizer.apply_gradients(zip(gradients, learnt, strict=True))
    assert float(stats.loss) < float(first.loss) / 10
    assert float(first.active) > 0.5 > float(stats.active)
    nearest = np.argmax(cosine_similarity(x.value, layer.proxies), axis=1)
    assert nearest.tolist() == y.tolist()
