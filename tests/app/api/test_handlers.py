"""What goes wrong below the routes is a problem, too."""

import errno
import os
import tempfile

import httpx
import pytest
from PIL import Image

from tests.support.images import encode


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.ENOSPC, 507, "storage_full"),
        (errno.EDQUOT, 507, "storage_full"),
        (errno.EIO, 503, "storage_unavailable"),
        (errno.EROFS, 503, "storage_unavailable"),
    ],
)
def test_a_folder_for_temporary_files_that_takes_no_more_is_told(
    emptied_server: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    status: int,
    code: str,
) -> None:
    def fails(_: object) -> None:
        raise OSError(number, os.strerror(number))

    # More than is kept in memory.
    large = {"images": encode(Image.new("RGB", (700, 700)), "BMP")}
    with monkeypatch.context() as patch:
        patch.setattr(tempfile.SpooledTemporaryFile, "rollover", fails)
        answer = emptied_server.post("/gallery", files=large)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert emptied_server.post("/gallery", files=large).status_code == 201
