"""The process that decodes: the same pixels as here, and no harm when it dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from app.errors import ImageUndecodable
from app.images.box import Box
from app.images.cost import Cost
from app.images.limits import DEFAULT_LIMITS, ImageLimits
from app.images.opened import OpenedImage
from app.images.prepare import ModelInput, Thumbnail, prepare, thumbnail
from app.inference import worker_process
from app.inference.worker_process import WorkerProcess
from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.processes import gone

MEMORY = 10_000_000


@dataclass(frozen=True)
class Misbehaving:
    """Something to want of an image that its decoder does not survive."""

    how: str

    def open(self, data: bytes, limits: ImageLimits) -> OpenedImage:
        return OpenedImage(data, limits, 32)

    def cost(self, opened: OpenedImage) -> Cost:
        return opened.cost()

    def make(self, opened: OpenedImage) -> bytes:
        if self.how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        while self.how == "loops":
            pass
        if self.how == "hangs":
            os.write(sys.stderr.fileno(), b"hanging\n")
            signal.pause()
        return b"x" * {"eats": 2**30, "floods": 70_000_000}.get(self.how, 5)

    def pack(self, made: bytes) -> bytes:
        return made

    def unpack(self, packed: bytes) -> bytes:
        if self.how == "babbles":
            raise ValueError(packed)
        return packed


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    started = WorkerProcess(DEFAULT_LIMITS)
    yield started
    started.close()


def process_of(worker: WorkerProcess) -> "subprocess.Popen[bytes]":
    assert worker._running
    return worker._running[0]


def test_the_result_is_the_same_as_in_this_process(worker: WorkerProcess) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "AVIF"):
        for wanted in (ModelInput(32), ModelInput(48, "pad", Box(0.1, 0.2, 0.7, 0.9))):
            made = worker.decode(wanted, picture(1, kind), MEMORY)
            here = prepare(picture(1, kind), wanted.size, box=wanted.box, resize=wanted.resize)
            assert np.array_equal(made.pixels, here.pixels)
            assert (made.width, made.height, made.media_type) == (96, 64, here.media_type)
    assert worker.decode(Thumbnail(40), picture(1), MEMORY) == thumbnail(picture(1), 40)


def test_a_broken_image_is_refused_for_its_own_reason(worker: WorkerProcess) -> None:
    with pytest.raises(ImageUndecodable) as here:
        prepare(picture(1)[:-100], 32)
    with pytest.raises(ImageUndecodable) as there:
        worker.decode(ModelInput(32), picture(1)[:-100], MEMORY)
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("dies", "its decoder failed"),
        ("babbles", "its decoder failed"),
        ("floods", "its decoder failed"),
        ("loops", "takes too long"),
        ("hangs", "takes too long"),
        ("eats", "too much memory"),
    ],
)
def test_a_decoder_that_goes_astray_costs_its_image_alone(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch, how: str, reason: str
) -> None:
    worker.decode(ModelInput(32), picture(1), MEMORY)
    monkeypatch.setattr(worker_process, "CPU_SECONDS", 1)
    monkeypatch.setattr(worker_process, "PATIENCE_S", 1 if how == "hangs" else 60)
    before = process_of(worker)
    with pytest.raises(ImageUndecodable, match=reason):
        worker.decode(Misbehaving(how), picture(1), 30 * MEMORY if how == "floods" else MEMORY)
    # A new process takes its time to start.
    monkeypatch.setattr(worker_process, "PATIENCE_S", 60)
    assert worker.decode(Misbehaving("works"), picture(1), MEMORY) == b"xxxxx"
    assert (process_of(worker) is before) == (how == "eats")


def test_one_that_was_killed_while_idle_costs_no_image(worker: WorkerProcess) -> None:
    worker.decode(ModelInput(32), picture(1), MEMORY)
    process_of(worker).kill()
    process_of(worker).wait()
    assert worker.decode(ModelInput(32), picture(1), MEMORY).width == 96


def test_it_knows_no_key_of_ours_and_loads_no_more_than_it_needs(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMELLO_WRITE_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert worker.decode(ModelInput(32), picture(1), MEMORY).width == 96
    with open(f"/proc/{process_of(worker).pid}/environ", "rb") as stream:  # noqa: PTH123
        assert b"secret" not in stream.read()
    heavy = ("openvino", "faiss", "fastapi", "starlette", "pydantic", "tensorflow", "sqlite3")
    code = (
        "import app.inference.decode_worker, sys;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "[]"


def test_signals_of_a_terminal_or_a_service_manager_do_not_end_it(worker: WorkerProcess) -> None:
    worker.decode(ModelInput(32), picture(1), MEMORY)
    before = process_of(worker)
    for number in (signal.SIGINT, signal.SIGTERM):
        before.send_signal(number)
    assert worker.decode(ModelInput(32), picture(1), MEMORY).width == 96
    assert process_of(worker) is before
    worker.close()
    assert before.returncode == 0


@pytest.mark.parametrize("how", ["works", "hangs"])
def test_it_ends_when_its_parent_is_killed(how: str) -> None:
    code = (
        "import sys, threading\n"
        "from app.images.limits import DEFAULT_LIMITS\n"
        "from app.inference.worker_process import WorkerProcess\n"
        "from tests.app.inference.test_worker_process import Misbehaving\n"
        "from tests.support.images import picture\n"
        "worker = WorkerProcess(DEFAULT_LIMITS)\n"
        f"worker.decode(Misbehaving('works'), picture(1), {MEMORY})\n"
        "print(worker._running[0].pid, flush=True)\n"
        f"worker.decode(Misbehaving('{how}'), picture(1), {MEMORY})\n"
        "print('done', file=sys.stderr, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as parent:
        assert parent.stdout
        assert parent.stderr
        pid = int(parent.stdout.readline())
        assert parent.stderr.readline() == {"works": b"done\n", "hangs": b"hanging\n"}[how]
        parent.kill()
        assert gone(pid)
