"""Heavy images in line: what somebody else has made meanwhile is not made again."""

import pytest

from app.errors import ImageError, Overloaded
from app.images.limits import DEFAULT_LIMITS
from app.images.prepare import Thumbnail, thumbnail
from app.inference.decode_processes import DecodeProcesses, HeavyImage
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
