"""``gemello train`` interrupted by a power cut or by Ctrl-C, and resumed; with a tiny backbone."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.bundle import model_store
from tests.support.drawings import draw_classes
from tests.support.paths import ROOT
from tests.support.serving import clean_environment
from tests.support.tiny_network import arguments

OPTIONS = {
    "input_size": 32,
    "dimension": 16,
    "classes": 4,
    "images_per_class": 2,
    "epochs": 3,
    # Some seconds an epoch, so that a signal comes in the middle of one.
    "steps_per_epoch": 300,
    "validation_fraction": 0.3,
    "test_fraction": 0,
    "learning_rate": 1e-3,
    "ema": 0.9,
}


class Home:
    """A folder with data, a cache and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = draw_classes(folder / "data", 10, 4)
        self.store, self.runs = folder / "store", folder / "cache" / "runs"

    def start(self, *options: str, **changes: object) -> subprocess.Popen[str]:
        sets = arguments(**{**OPTIONS, **changes})
        folders = ("--store", str(self.store), "--cache", str(self.folder / "cache"))
        command = ("train", str(self.data), "--name", "mine", *folders, *sets, *options)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.tiny_gemello", *command],
            cwd=ROOT,
            env={**clean_environment(), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str, **changes: object) -> tuple[str, str]:
        process = self.start(*options, **changes)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out, err

    def epochs(self, version: str) -> list[dict]:
        bundle = model_store.resolve(self.store, f"mine/{version}")
        return bundle.manifest.training["history"]["epochs"]

    def saved(self) -> int:
        """Finished epochs in the state on disk."""
        for facts in self.runs.glob("[!.]*/facts.json"):
            # It may step aside for the next one just now.
            with suppress(FileNotFoundError):
                return len(json.loads(facts.read_text())["facts"]["epochs"])
        return 0

    def interrupt(self, process: subprocess.Popen[str], number: int, how: signal.Signals) -> str:
        """Send a signal in the middle of the epoch after ``number``; what the process had said."""
        try:
            while self.saved() < number:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            time.sleep(0.5)
            process.send_signal(how)
            return process.communicate(timeout=60)[1]
        finally:
            process.kill()

    def leftovers(self) -> list[Path]:
        return [path for path in self.store.rglob("*") if path.is_file() or "staging" in path.name]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield Home(tmp_path_factory.mktemp("home"))


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was_to_the_same_end(home: Home) -> None:
    said = home.interrupt(home.start(), 1, signal.SIGKILL)
    assert "epoch 1/3:" in said
    assert "epoch 2/3:" not in said
    assert home.leftovers() == []

    # Other settings are another run, which leaves this one's state alone.
    _, other = home.run("--resume", epochs=1, steps_per_epoch=2)
    assert "There is no interrupted run of 'mine'" in other
    assert "resuming" not in other
    assert home.saved() == 1

    out, resumed = home.run("--resume")
    assert "published mine/2" in out
    assert "resuming after epoch 1" in resumed
    assert "epoch 1/3:" not in resumed
    assert "epoch 2/3:" in resumed
    assert list(home.runs.iterdir()) == []

    out, whole = home.run("--resume")
    assert "There is no interrupted run of 'mine'" in whole
    assert "published mine/3" in out
    assert model_store.active_version(home.store, "mine") == "3"
    mine, theirs = home.epochs("2"), home.epochs("3")
    assert len(mine) == 3
    for one, other_one in zip(mine, theirs, strict=True):
        assert one["recall"] == pytest.approx(other_one["recall"], abs=0.1)
        assert one["loss"] == pytest.approx(other_one["loss"], abs=0.02)


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Where the tests run in the background, they and what they start are told to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_is_one_sentence_and_publishes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    process = home.start()
    said = home.interrupt(process, 1, signal.SIGINT)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    sentences = [line for line in said.splitlines() if line.startswith("gemello: ")]
    assert sentences == [said.splitlines()[-1]]
    assert "run the same command with --resume to continue" in sentences[0]
    assert home.leftovers() == []
    assert home.saved() == 1
    assert not list(home.runs.glob(".*")), "nothing half-written"
