"""Everything that callers do, for as long as is asked: no memory, descriptor, thread or file is left behind.

hardening 26, 39.
"""

import socket
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.images import picture
from tests.support.processes import resident
from tests.support.serving import in_process

CALLERS, SECONDS, IMAGES = 4, 8, 40
ACTIONS = ["add", "delete", "search", "search", "list", "show", "leave"]


def use(url: str, seed: int, until: float) -> Counter[str]:
    """Add, search, list, change, show and delete until then; leave as many images as there were. Count what was done."""
    random, calls = np.random.default_rng(seed), Counter[str]()
    ids: list[str] = []
    with httpx.Client(base_url=url, timeout=60) as client:
        while time.monotonic() < until or ids:
            leaving = time.monotonic() >= until
            action = "delete" if leaving else str(random.choice(ACTIONS))
            if action == "add" and len(ids) < IMAGES:
                answer = client.post(
                    "/gallery",
                    files={"images": picture(seed * 1000 + int(random.integers(1000)))},
                    data={"ids": f'["{seed}-{random.integers(10**9)}"]'},
                )
                ids.append(answer.raise_for_status().json()["items"][0]["id"])
            elif action == "delete" and ids:
                image_id = ids.pop(int(random.integers(len(ids))))
                client.delete(f"/gallery/{image_id}").raise_for_status()
            elif action == "search":
                image = picture(int(random.integers(1000)))
                client.post("/search", files={"image": image}).raise_for_status()
            elif action == "list":
                client.get("/gallery").raise_for_status()
            elif action == "leave":
                leave_in_the_middle(url)
            elif ids:
                image_id = ids[int(random.integers(len(ids)))]
                client.patch(f"/gallery/{image_id}", json={"label": "seen"}).raise_for_status()
                client.get(f"/gallery/{image_id}/thumbnail").raise_for_status()
            calls[action] += 1
    return calls


def leave_in_the_middle(url: str) -> None:
    """Begin an upload and go away."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(
            b"POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )


def round_of_use(url: str, seconds: float) -> Counter[str]:
    until, counts = time.monotonic() + seconds, list[Counter[str]]()
    threads = [
        threading.Thread(target=lambda seed=seed: counts.append(use(url, seed, until)))
        for seed in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == CALLERS, "a call failed"
    return sum(counts, Counter[str]())


def left(pid: int, data: Path) -> dict[str, int]:
    """What a process holds that could leak, and the files of its gallery."""
    process = Path(f"/proc/{pid}")
    return {
        "descriptors": len(list((process / "fd").iterdir())),
        "threads": len(list((process / "task").iterdir())),
        "files": sum(path.is_file() for path in data.rglob("*")),
    }


@pytest.mark.slow
def test_a_long_use_leaves_nothing_behind(tmp_path: Path, tiny_store: Path, times: int) -> None:
    data = tmp_path / "data"
    environment = {
        "GEMELLO_DATA_DIR": str(data),
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
        "GEMELLO_LOG_LEVEL": "error",
        "GEMELLO_REQUEST_TIMEOUT_S": "5",
    }
    with in_process(environment) as (process, url):
        round_of_use(url, SECONDS)
        before, memory = settled(process.pid, data), resident(process.pid) / 1e6
        calls = round_of_use(url, SECONDS * times)
        after, memory_after = settled(process.pid, data), resident(process.pid) / 1e6
    print(
        f"\n{sum(calls.values()):,} actions in {SECONDS * times} s, {dict(calls)}: {before} → {after},"
        f" {memory:.0f} → {memory_after:.0f} MB"
    )
    assert after["files"] <= before["files"]
    assert after["descriptors"] <= before["descriptors"] + 2
    assert after["threads"] <= before["threads"] + 2
    assert memory_after < 1.05 * memory


def settled(pid: int, data: Path) -> dict[str, int]:
    """What is left once callers who went away have been given up."""
    lowest, until = left(pid, data), time.monotonic() + 7
    while time.monotonic() < until:
        time.sleep(0.5)
        now = left(pid, data)
        lowest = {name: min(lowest[name], now[name]) for name in now}
    return lowest
