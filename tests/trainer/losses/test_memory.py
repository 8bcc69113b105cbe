"""Cross-batch memory against a list of all that went before."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.paths import ROOT
from tests.trainer.losses.batches import MARGIN, unit
from trainer.losses.contrastive import ContrastiveLoss
from trainer.losses.distances import pairwise
from trainer.losses.memory import CrossBatchMemory
from trainer.losses.triplet import TripletLoss, batch_hard


def naive(
    batch: tuple[np.ndarray, np.ndarray], past: list[tuple[np.ndarray, int]]
) -> tuple[float, float]:
    """Batch-hard on the batch and the past; an anchor is not its own positive."""
    x, y = batch
    references = np.stack([*x, *(vector for vector, _ in past)])
    numbers = np.array([*y, *(label for _, label in past)])
    same = y[:, None] == numbers[None, :]
    itself = np.arange(len(y))[:, None] == np.arange(len(numbers))[None, :]
    stats = batch_hard(pairwise(x, references), same & ~itself, ~same, MARGIN)
    return float(stats.loss), float(stats.active)


@pytest.mark.parametrize("size", [1, 3, 4, 10, 100])
def test_it_compares_with_the_last_embeddings(size: int) -> None:
    """Sizes below, at and above the batch's 4, not a multiple of it, and never filled."""
    memory = CrossBatchMemory(TripletLoss(MARGIN), size, 6)
    step = tf.function(memory.__call__)
    rng = np.random.default_rng(size)
    past: list[tuple[np.ndarray, int]] = []
    for number in range(8):
        x, y = unit(4, number), rng.integers(0, 3, 4)
        stats = step(tf.constant(x), tf.constant(y))
        loss, active = naive((x, y), past)
        assert float(stats.loss) == pytest.approx(loss, abs=1e-5)
        assert float(stats.active) == pytest.approx(active, abs=1e-5)
        past = [*past, *zip(x, y.tolist(), strict=True)][-size:]


def test_batches_of_any_size_share_one_graph() -> None:
    memory = CrossBatchMemory(TripletLoss(MARGIN), 5, 6)
    signature = [tf.TensorSpec((None, 6), tf.float32), tf.TensorSpec((None,), tf.int32)]
    step = tf.function(memory.__call__, input_signature=signature)
    past: list[tuple[np.ndarray, int]] = []
    for number, rows in enumerate((3, 7, 1, 4)):
        x, y = unit(rows, number), np.arange(rows, dtype=np.int32) % 2
        assert float(step(x, y).loss) == pytest.approx(naive((x, y), past)[0], abs=1e-5)
        past = [*past, *zip(x, y.tolist(), strict=True)][-5:]


def test_the_past_gets_no_gradient_and_is_not_trained() -> None:
    memory = CrossBatchMemory(ContrastiveLoss(0.5), 8, 6)
    assert memory.trainable_variables == []
    old = tf.Variable(unit(4, 1))
    new = tf.Variable(unit(4, 2))
    with tf.GradientTape() as tape:
        memory(old, tf.constant([0, 0, 1, 1]))
        stats = memory(new, tf.constant([0, 0, 1, 1]))
    from_old, from_new = tape.gradient(stats.loss, [old, new])
    assert from_old is None
    assert np.abs(from_new).max() > 0


def test_its_state_can_be_stored_and_taken_up_again() -> None:
    first = CrossBatchMemory(TripletLoss(MARGIN), 6, 6)
    first(unit(4, 1), np.array([0, 0, 1, 1]))
    second = CrossBatchMemory(TripletLoss(MARGIN), 6, 6)
    second.set_weights(first.get_weights())
    x, y = unit(4, 2), np.array([0, 1, 1, 2])
    assert float(second(x, y).loss) == float(first(x, y).loss)


def test_half_precision_is_kept_in_float32() -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        memory = CrossBatchMemory(TripletLoss(MARGIN), 8, 6)
        stats = memory(tf.cast(unit(4, 1), tf.float16), tf.constant([0, 0, 1, 1]))
    finally:
        keras.config.set_dtype_policy(policy)
    assert stats.loss.dtype == tf.float32
    assert [str(weight.dtype) for weight in memory.weights] == ["float32", "int32", "int32"]


def test_a_memory_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        CrossBatchMemory(TripletLoss(), 0, 6)


TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.trainer.losses.batches import unit
from trainer.losses.memory import CrossBatchMemory
from trainer.losses.triplet import TripletLoss

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
y = tf.constant([0, 0, 1, 1])

def replicated(of_replica):
    return strategy.experimental_distribute_values_from_function(
        lambda context: of_replica[context.replica_id_in_sync_group])

def make(mining):
    return CrossBatchMemory(TripletLoss(0.2, mining), 8, 6)

for mining in ("batch_hard", "distance_weighted"):
    with strategy.scope():
        memory = make(mining)
    alone = [make(mining), make(mining)]
    step = tf.function(lambda x, y: strategy.run(lambda a, b: memory(a, b).loss, (x, y)))
    for number in range(4):
        xs = [tf.constant(unit(4, 10 * number + replica)) for replica in range(2)]
        losses = strategy.experimental_local_results(step(replicated(xs), replicated([y, y])))
        assert np.isfinite(losses).all()
        if mining == "batch_hard":
            separate = [float(m(x, y).loss) for m, x in zip(alone, xs)]
            assert np.allclose(losses, separate, atol=1e-6), (losses, separate)
print("same")
"""


@pytest.mark.slow
def test_each_replica_of_a_strategy_has_its_own_memory() -> None:
    command = [sys.executable, "-c", TWO_REPLICAS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "same\n", done.stderr
