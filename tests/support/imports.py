"""Archives of images, and imports that are followed to their end."""

import io
import time
import zipfile
from typing import Any

import httpx

PATIENCE_S = 60


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of ``files`` by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def begin(server: httpx.Client, archive: bytes | None = None, **data: Any) -> dict[str, Any]:
    """Begin an import; returns the job."""
    files = {"archive": ("photos.zip", archive)} if archive is not None else None
    answer = server.post("/gallery/import", files=files, data=data)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def finished(server: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job, once it has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        now: dict[str, Any] = server.get(f"/jobs/{job['id']}").json()
        if now["state"] not in ("queued", "running"):
            return now
        assert time.monotonic() < deadline, now
        time.sleep(0.02)
