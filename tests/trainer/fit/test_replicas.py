"""Training on several devices and in several processes, on one machine's CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.bundle import model_store
from tests.support.drawings import draw_classes
from tests.support.paths import ROOT
from tests.support.serving import clean_environment, free_port
from tests.support.tiny_network import arguments
from trainer.errors import ConfigError
from trainer.fit import replicas

FEW = {
    "input_size": 32,
    "dimension": 16,
    "classes": 4,
    "images_per_class": 2,
    "epochs": 2,
}


def command(data: Path, strategy: str, *options: str) -> list[str]:
    """``gemello train`` with a tiny backbone."""
    folder = data.parent
    return [
        *("train", str(data), "--name", "spread", "--strategy", strategy),
        *("--store", str(folder / "store"), "--cache", str(folder / "cache")),
        *arguments(**FEW),
        *options,
    ]


def test_one_device_is_the_default_and_publishes() -> None:
    made = replicas.make("none")
    assert made.chief
    assert made.strategy.num_replicas_in_sync == 1
    assert replicas.agree(made.strategy, 3)


@pytest.mark.parametrize("config", ["{", '{"cluster": 3}'])
def test_workers_need_a_proper_configuration(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="needs TF_CONFIG"):
        replicas.make("multi_worker")
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ConfigError, match="TF_CONFIG cannot be used"):
        replicas.make("multi_worker")


TWO_DEVICES = """
import sys, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""

BOTH_COUNT = """
from pathlib import Path
import keras, numpy as np
from tests.support.tiny_network import build, caches, config, in_place_of_the_real_one
from trainer.fit import ladder, replicas
from trainer.fit.checkpoint import Checkpoint
from trainer.fit.training import fit
from trainer.losses.triplet import TripletLoss
from trainer.fit.steps import training_step

strategy = replicas.make("mirrored").strategy
assert strategy.num_replicas_in_sync == 2
assert replicas.agree(strategy, 3)
images = np.random.default_rng(0).integers(0, 256, (2, 8, 32, 32, 3)).astype(np.uint8)
labels = np.arange(8) // 2

# A step of plain gradient descent, each replica with a batch of its own.
with strategy.scope():
    network = build(config())
    objective = TripletLoss(0.3)
    variables = network.embedder.trainable_variables
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(variables)
    step = training_step(network.embedder, objective, optimizer, variables, strategy)
before = [np.array(v.value) for v in variables]
def values(context):
    return tf.constant(images[context.replica_id_in_sync_group])
batch = [strategy.experimental_distribute_values_from_function(f) for f in (
    values, lambda _: tf.constant(labels))]
loss = float(step(*batch)[0])
after = [np.array(v.value) for v in variables]

alone = build(config())
alone.embedder.set_weights([np.array(w) for w in alone.embedder.get_weights()])
gradients, losses = [], []
for one in images:
    with tf.GradientTape() as tape:
        stats = objective(alone.embedder(one, training=True), labels)
    gradients.append(tape.gradient(stats.loss, [v.value for v in alone.embedder.trainable_variables]))
    losses.append(float(stats.loss))
for old, new, first, second in zip(before, after, *gradients, strict=True):
    expected = old - 0.1 * (np.array(first) + np.array(second)) / 2
    assert np.allclose(new, expected, atol=1e-4), np.abs(new - expected).max()
    assert np.abs(np.array(first) - np.array(second)).max() > 1e-4
assert np.isclose(loss, np.mean(losses), atol=1e-4)

# A whole run with all that has a state, and its second half again after an interruption.
folder = Path(sys.argv[1])
chosen = config(ema=0.9, epochs=2)
data = caches(folder, chosen)
class Keeping(Checkpoint):
    states = []
    def save(self, state):
        super().save(state)
        self.states.append(self.load())
def run(state=None):
    with strategy.scope():
        network = build(chosen)
    kept = Keeping(folder / "state")
    history = fit(network, *data, chosen, checkpoint=kept, state=state, strategy=strategy)
    for variable in network.embedder.variables:
        copies = [np.array(v) for v in strategy.experimental_local_results(variable.value)]
        assert len(copies) == 2 and np.array_equal(*copies), variable.path
    return network.embedder.get_weights(), history.as_rows()
ladder.choose = lambda rungs: rungs[-1]
weights, rows = run()
assert len(rows) == 2
again, same = run(Keeping.states[1])
assert same[:1] == rows[:1]
assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(weights, again, strict=True))
print("same")
"""


@pytest.mark.slow
def test_on_two_devices_both_gradients_count_and_weights_stay_equal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES + BOTH_COUNT, str(tmp_path)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "same\n", done.stderr


THE_COMMAND = """
from tests.support.tiny_gemello import main
main()
"""


@pytest.mark.slow
def test_the_command_trains_on_two_devices(tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 10, 4)
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES + THE_COMMAND, *command(data, "mirrored")],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "published spread/1" in done.stdout


def workers(data: Path, *options: str) -> list[subprocess.Popen[str]]:
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    started = []
    for index in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        started.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.support.tiny_gemello",
                    *command(data, "multi_worker", *options),
                ],
                cwd=ROOT,
                env={**clean_environment(), "TF_CONFIG": json.dumps(task)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return started


@pytest.mark.slow
def test_of_two_processes_the_first_publishes(tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 10, 4)
    started = workers(data)
    (chief, _), (other, _) = (process.communicate(timeout=240) for process in started)
    assert [process.returncode for process in started] == [0, 0]
    assert "published spread/1" in chief
    assert other == "this worker is done; the first one publishes\n"
    store = tmp_path / "store"
    assert model_store.list_models(store) == ["spread/1"]
    assert not list(store.glob("*/.staging-*"))
    assert list((tmp_path / "cache" / "runs").iterdir()) == []
    history = model_store.resolve(store, "spread").manifest.training["history"]["epochs"]
    assert len(history) == 2
