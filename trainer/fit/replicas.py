"""Training on several devices: which ``tf.distribute`` strategy, and who publishes."""

import os
from dataclasses import dataclass

import tensorflow as tf

from trainer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Replicas:
    """``chief`` is the one worker that keeps the state, measures and publishes."""

    strategy: tf.distribute.Strategy
    chief: bool


def agree(strategy: tf.distribute.Strategy, number: int) -> bool:
    """Return whether all workers have the same ``number``; where not, at least one is told so."""
    if strategy.num_replicas_in_sync == 1:
        return True
    numbers = tf.function(strategy.run)(lambda: tf.constant(float(number)))
    return bool(float(strategy.reduce("MEAN", numbers, axis=None)) == number)


def make(name: str) -> Replicas:
    """Return the devices of ``none``, ``mirrored`` (all devices of this machine) or ``multi_worker`` (``TF_CONFIG``).

    To be called before any other use of TensorFlow. Each replica draws P × K batches of its own,
    and their gradients are averaged. Raises ``ConfigError``.
    """
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        return Replicas(tf.distribute.MirroredStrategy(devices), chief=True)
    if name == "multi_worker":
        if "TF_CONFIG" not in os.environ:
            raise ConfigError("strategy: multi_worker needs TF_CONFIG, which names the workers.")
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (ValueError, LookupError, TypeError, RuntimeError, tf.errors.OpError) as exc:
            reason = str(exc).splitlines()[0]
            raise ConfigError(f"strategy: TF_CONFIG cannot be used ({reason}).") from exc
        resolver = strategy.cluster_resolver
        chief = resolver.task_type in (None, "chief") or (
            resolver.task_type == "worker" and resolver.task_id == 0
        )
        return Replicas(strategy, chief)
    return Replicas(tf.distribute.get_strategy(), chief=True)
