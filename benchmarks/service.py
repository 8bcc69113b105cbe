"""Searches a second, and how long one takes, with 1, 8 and 32 callers: this checkout beside another one.

    git worktree add ../before v0.1 && .venv/bin/python benchmarks/service.py --beside ../before

Both serve their own default model over galleries of the same images, from a process of their own each, in turn,
three times, and are asked by a third process over connections that are kept. The table has the medians of the
rounds and the ratio of this checkout to the other one.
"""

import argparse
import http.client
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CLIENTS, ROUNDS, SECONDS = (1, 8, 32), 3, 8.0
_READY_S, _BOUNDARY = 120, "benchmark-of-the-service"


@dataclass(frozen=True, slots=True)
class Round:
    """Searches a second, and the median and the 99th percentile of their milliseconds."""

    rate: float
    p50: float
    p99: float


def photographs(count: int) -> list[bytes]:
    """JPEGs of 500 × 375 with as much detail as photographs have, all different."""
    random = np.random.default_rng(0)
    images = []
    for _ in range(count):
        layers = [
            Image.fromarray(random.integers(0, 256, (s * 3, s * 4, 3), np.uint8)).resize(
                (500, 375), Image.Resampling.BICUBIC
            )
            for s in (2, 8, 32)
        ]
        out = io.BytesIO()
        Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.25).save(out, "JPEG")
        images.append(out.getvalue())
    return images


@contextmanager
def serving(checkout: Path, data: Path) -> Iterator[int]:
    """Yield the port of a service that runs from ``checkout`` and is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {name: text for name, text in os.environ.items() if "GEMELLO_" not in name}
    environment |= {
        "GEMELLO_PORT": str(port),
        "GEMELLO_DATA_DIR": str(data),
        "GEMELLO_LOG_LEVEL": "error",
        "PYTHONPATH": str(checkout),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "gemello", "serve"], cwd=checkout, env=environment
    )
    try:
        deadline = time.monotonic() + _READY_S
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the service of {checkout} did not start")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def _ready(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            return ask(connection, "GET", "/health") == 200
    except OSError:
        return False


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, image: bytes | None = None
) -> int:
    """Return the status of the answer, which is read to its end."""
    body, headers = None, {}
    if image is not None:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        body = head.encode() + image + f"\r\n--{_BOUNDARY}--\r\n".encode()
        headers["Content-Type"] = f"multipart/form-data; boundary={_BOUNDARY}"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def load(port: int, clients: int, seconds: float) -> Round:
    """Search with so many callers at once, each as soon as it has its answer."""
    images, took, refused = photographs(20), list[float](), set[int]()
    until = time.monotonic() + seconds

    def call(first: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            number = first
            while time.monotonic() < until:
                start = time.perf_counter()
                status = ask(connection, "POST", "/search", images[number % len(images)])
                took.append(time.perf_counter() - start)
                if status != http.client.OK:
                    refused.add(status)
                number += 1

    threads = [threading.Thread(target=call, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        sys.exit(f"searches were answered with {refused}")
    milliseconds = np.array(took) * 1000
    return Round(
        len(took) / seconds,
        float(np.median(milliseconds)),
        float(np.quantile(milliseconds, 0.99)),
    )


def measured(port: int, clients: int, seconds: float) -> Round:
    """``load`` in a process of its own, so that asking does not slow the one who notes the time."""
    done = subprocess.run(
        [sys.executable, __file__, "--load", str(port), str(clients), str(seconds)],
        check=True,
        capture_output=True,
        text=True,
    )
    return Round(*json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=Path, help="another checkout; alone without it")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--load", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        port, clients, seconds = options.load
        result = load(int(port), int(clients), float(seconds))
        print(json.dumps([result.rate, result.p50, result.p99]))
        return
    checkouts = [ROOT, *([options.beside.resolve()] if options.beside else [])]
    for checkout in checkouts:
        if not (checkout / "model_store" / "default").is_dir():
            sys.exit(f"{checkout} is not a checkout of Gemello")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = [
            stack.enter_context(serving(checkout, scratch / str(number)))
            for number, checkout in enumerate(checkouts)
        ]
        for port in ports:
            measured(port, 8, 2)
        print("| callers | | searches/s | p50 ms | p99 ms |\n| ---: | --- | ---: | ---: | ---: |")
        for clients in CLIENTS:
            rounds: list[list[Round]] = [[] for _ in ports]
            for _ in range(ROUNDS):
                for taken, port in zip(rounds, ports, strict=True):
                    taken.append(measured(port, clients, options.seconds))
            show(clients, rounds)


def show(clients: int, rounds: list[list[Round]]) -> None:
    """Print the medians, and the ratio of the first to the second."""
    middles = [
        [
            statistics.median(getattr(one, figure) for one in taken)
            for figure in ("rate", "p50", "p99")
        ]
        for taken in rounds
    ]
    for name, (rate, p50, p99) in zip(("this", "beside"), middles, strict=False):
        print(f"| {clients} | {name} | {rate:.1f} | {p50:.1f} | {p99:.1f} |")
    if len(middles) > 1:
        ratios = [mine / other for mine, other in zip(*middles, strict=True)]
        print(f"| {clients} | ratio | {ratios[0]:.3f} | {ratios[1]:.3f} | {ratios[2]:.3f} |")


if __name__ == "__main__":
    main()
