"""Heavy images in line: the quicker ones first, and what somebody else has made meanwhile is not made again."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from app.errors import ImageError, Overloaded
from app.images.limits import DEFAULT_LIMITS
from app.images.prepare import Thumbnail, thumbnail
from app.inference import decode_processes
from app.inference.decode_processes import DecodeProcesses, HeavyImage
from app.inference.worker_process import WorkerProcess
from tests.support.images import picture


def heavy(seed: int, known: bytes | None = None) -> HeavyImage[bytes]:
    return HeavyImage(Thumbnail(32), picture(seed), 10_000_000, known=lambda: known)


@pytest.mark.parametrize("count", [1, 3])
def test_results_stand_under_their_keys_however_many_processes_there_are(count: int) -> None:
    processes = DecodeProcesses(DEFAULT_LIMITS, count=count, memory=25_000_000, callers=1)
    broken = HeavyImage(Thumbnail(32), picture(1)[:-50], 10_000_000)
    found = processes.decode({7: heavy(7), 3: broken, **{key: heavy(key) for key in range(20, 26)}})
    processes.close()
    assert isinstance(found.pop(3), ImageError)
    assert found == {key: thumbnail(picture(key), 32) for key in (7, *range(20, 26))}


def test_what_is_known_when_its_turn_comes_is_not_made() -> None:
    processes = DecodeProcesses(DEFAULT_LIMITS, count=1, memory=10_000_000, callers=1)
    assert processes.decode({0: heavy(1, known=b"made")}) == {0: b"made"}
    assert processes._idle.queue[0]._running is None
    assert processes.decode({}) == {}
    processes.close()


def test_a_system_that_gives_no_process_is_overload(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Resource temporarily unavailable")

    processes = DecodeProcesses(DEFAULT_LIMITS, count=1, memory=10_000_000, callers=1)
    with monkeypatch.context() as patched:
        patched.setattr("subprocess.Popen", refuse)
        for _ in range(3):
            with pytest.raises(Overloaded):
                processes.decode({0: heavy(1)})
    assert processes.decode({0: heavy(1)}) == {0: thumbnail(picture(1), 32)}
    processes.close()


def test_the_quicker_ones_go_first_but_pass_none_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = DecodeProcesses(DEFAULT_LIMITS, count=1, memory=10_000_000, callers=1)
    served: list[str] = []

    def named(name: str) -> Callable[[], bytes]:
        def known() -> bytes:
            served.append(name)
            return b"made"

        return known

    def enter(name: str, seconds: float, later: float = 0) -> None:
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later)
        with monkeypatch.context() as patched:
            patched.setattr(decode_processes, "time", clock)
            futures.append(
                processes._enter(HeavyImage(Thumbnail(32), b"", 1, seconds, named(name)))
            )

    futures: list[Future[bytes | ImageError]] = []
    with processes._memory.take(10_000_000):
        enter("first", 10)
        while not processes._line.empty():
            pass
        enter("slow", 5)
        enter("slower", 8)
        enter("quick", 0)
        enter("quick, but later", 0, later=60)
    assert [future.result(60) for future in futures] == [b"made"] * 5
    processes.close()
    assert served == ["first", "quick", "slow", "quick, but later", "slower"]


def test_who_has_waited_too_long_is_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = DecodeProcesses(DEFAULT_LIMITS, count=1, memory=10_000_000, callers=1)
    with monkeypatch.context() as patched, pytest.raises(Overloaded):
        patched.setattr(decode_processes, "_LONGEST_WAIT_S", -1)
        processes.decode({0: heavy(1)})
    assert processes.decode({0: heavy(1)}) == {0: thumbnail(picture(1), 32)}
    processes.close()


def test_an_image_has_the_time_that_it_is_said_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int | None] = []
    decode = WorkerProcess.decode

    def noted(worker, wanted, data, memory, cpu_seconds=None):  # type: ignore[no-untyped-def]
        given.append(cpu_seconds)
        return decode(worker, wanted, data, memory, cpu_seconds)

    monkeypatch.setattr(WorkerProcess, "decode", noted)
    processes = DecodeProcesses(DEFAULT_LIMITS, count=1, memory=10_000_000, callers=1)
    for seconds in (0, 1.25):
        processes.decode({0: HeavyImage(Thumbnail(32), picture(1), 10_000_000, seconds)})
    processes.close()
    assert given == [5, 18]
