"""Room that is kept on the disk for deleting."""

import errno
import os
from pathlib import Path

import pytest

from app.storage.local.reserve import Reserve


def fails(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_it_takes_room_and_gives_it_up_for_a_while(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = Reserve(path)
    assert path.stat().st_blocks * 512 >= 1 << 20
    with reserve.given_up():
        assert not path.exists()
    assert path.stat().st_size >= 1 << 20


def test_what_cannot_be_had_is_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reserve"
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", fails)
        reserve = Reserve(path)
        reserve.fill()
        assert not path.exists()
    reserve.fill()
    assert path.exists()
