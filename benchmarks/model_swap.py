"""A model swap under load: searches run all the while, and the service is killed in the middle.

    .venv/bin/python benchmarks/model_swap.py [--images 10000] [--searchers 2]

Fills a gallery with drawn images, lets a second model take over, kills the service with SIGKILL half
way, starts it again, waits for the job's end, and goes back to the first model. Every answer is
checked: its distances must be those between vectors of the one model that it names. Exits with 1
when an answer mixes models, when a search fails but while the service is down, or when the job does
not end well. The second model is the first one with half as many numbers.
"""

import argparse
import io
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from PIL import Image, ImageDraw

from app.bundle import model_store
from app.bundle.manifest import model_id
from gemello.client import ApiError, Client, Unreachable
from gemello.client.results import Job, SearchAnswer

ROOT = Path(__file__).resolve().parent.parent
SIDE, CHUNK = 128, 50
_READY_S = 120


@dataclass
class Searches:
    """When each search began and how long it took, in seconds; what went wrong, from when to when."""

    took: list[tuple[float, float]] = field(default_factory=list)
    failed: list[tuple[float, float, str]] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    models: set[str] = field(default_factory=set)

    def between(self, start: float, end: float) -> list[float]:
        return [took for began, took in self.took if start <= began < end]

    def astray(self, down: float, up: float) -> list[str]:
        """Why searches failed that were over before the service was down, or begun when it was up."""
        return [why for began, ended, why in self.failed if ended < down or began > up]


def draw(seed: int) -> bytes:
    """A polygon on soft noise, as a JPEG."""
    random = np.random.default_rng(seed)
    soft = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    image = soft.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    corners = random.uniform(0, SIDE, (int(random.integers(3, 8)), 2))
    ink = tuple(random.integers(0, 256, 3).tolist())
    ImageDraw.Draw(image).polygon([tuple(corner) for corner in corners], fill=ink)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def publish_half(store: Path) -> str:
    """The default model's graph, cut to half of its numbers, as a model of its own."""
    whole = model_store.resolve(store, "default")
    half = whole.manifest.dimension // 2
    graph = ov.Core().read_model(whole.path / "openvino" / "model.xml")
    (pixels,) = graph.get_parameters()
    (made,) = graph.get_results()
    cut = ops.slice(
        made.input_value(0), np.array([0]), np.array([half]), np.array([1]), np.array([1])
    )
    shorter = ov.Model([ops.normalize_l2(cut, np.array([1]), 1e-12, "add")], [pixels], "half")
    with model_store.staging(store, "half") as folder:
        (folder / "openvino").mkdir()
        ov.save_model(shorter, folder / "openvino" / "model.xml", compress_to_fp16=False)
        files = model_store.hash_files(folder)
        facts = whole.manifest.model_copy(
            update={
                "name": "half",
                "version": "1",
                "dimension": half,
                "calibration": None,
                "evaluation": None,
                "files": files,
                "model_id": model_id(
                    files, whole.manifest.input_size, whole.manifest.preprocessing
                ),
            }
        )
        model_store.write_manifest(folder, facts)
        return model_store.publish(store, folder).title


@contextmanager
def service(work: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """``gemello serve`` on the gallery in ``work``, once it is ready."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GEMELLO_")} | {
        "GEMELLO_DATA_DIR": str(work / "data"),
        "GEMELLO_MODEL_STORE": str(work / "store"),
        "GEMELLO_PORT": str(port),
        "GEMELLO_SAMPLE_GALLERY": "0",
    }
    command = [sys.executable, "-m", "gemello", "serve"]
    with (work / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
    try:
        deadline = time.monotonic() + _READY_S
        with Client(f"http://127.0.0.1:{port}", retries=0) as client:
            while not answers(client):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"not ready:\n{(work / 'log.txt').read_text()[-2000:]}")
                time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        process.wait()


def answers(client: Client) -> bool:
    try:
        client.health()
    except (ApiError, Unreachable):
        return False
    return True


def keep_searching(url: str, seed: int, images: int, stop: threading.Event, into: Searches) -> None:
    """Search for one image after another until told to stop."""
    random = np.random.default_rng(seed)
    with Client(url, retries=0, timeout_s=30) as client:
        while not stop.is_set():
            query = draw(int(random.integers(images)))
            began = time.monotonic()
            try:
                answer = client.search(query, top_k=10, embeddings=True)
            except (ApiError, Unreachable) as exc:
                into.failed.append((began, time.monotonic(), str(exc)))
                time.sleep(0.05)
                continue
            into.took.append((began, time.monotonic() - began))
            into.models.add(answer.model.name)
            if not of_one_model(answer):
                into.mixed.append(f"{answer.model.name}: {answer.results[:1]}")


def of_one_model(answer: SearchAnswer) -> bool:
    """Every distance is the one between the query's vector and the result's."""
    query = np.array(answer.query.embedding)
    for result in answer.results:
        found = np.array(result.embedding)
        if found.shape != query.shape:
            return False
        if abs(float(np.linalg.norm(query - found)) - result.distance) > 1e-4:
            return False
    return bool(answer.results)


def fill(client: Client, images: int) -> float:
    """Store that many drawn images; how many a second."""
    start = time.monotonic()
    for first in range(0, images, CHUNK):
        seeds = range(first, min(first + CHUNK, images))
        items = client.add([draw(seed) for seed in seeds], ids=[f"{seed:06}" for seed in seeds])
        if any(item.status != "created" for item in items):
            raise SystemExit("an image was refused")
    return images / (time.monotonic() - start)


def until(look: Callable[[], Job], enough: Callable[[Job], bool]) -> Job:
    while not enough(job := look()):
        if job.finished and job.state != "succeeded":
            raise SystemExit(f"the job {job.state}: {job.reason}")
        time.sleep(0.1)
    return job


def told(what: str, seconds: list[float]) -> str:
    """Median and 95th and 99th percentile in milliseconds."""
    if len(seconds) < 2:
        return f"{what:<34} {len(seconds):>7}"
    cuts = statistics.quantiles(seconds, n=100)
    figures = "".join(
        f"{1000 * s:>9.0f} ms" for s in (statistics.median(seconds), cuts[94], cuts[98])
    )
    return f"{what:<34} {len(seconds):>7}{figures}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--searchers", type=int, default=2)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="gemello-swap-"))
    try:
        sys.exit(run(work, options.images, options.searchers))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run(work: Path, images: int, searchers: int) -> int:
    shutil.copytree(ROOT / "model_store" / "default", work / "store" / "default")
    half = publish_half(work / "store")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    searches, stop = Searches(), threading.Event()
    threads = [
        threading.Thread(target=keep_searching, args=(url, seed, images, stop, searches))
        for seed in range(searchers)
    ]
    with Client(url) as client:
        with service(work, port) as process:
            first = client.health().model
            print(f"{images:,} images stored, {fill(client, images):.0f} images/s")
            for thread in threads:
                thread.start()
            began = time.monotonic()
            time.sleep(10)
            swap = time.monotonic()
            job = client.activate(*half.split("/"))
            killed_at = until(lambda: client.job(job.id), lambda job: job.done >= images // 2).done
            down = time.monotonic()
            process.send_signal(signal.SIGKILL)
        with service(work, port):
            up = time.monotonic()
            goes_on = client.job(job.id)
            until(lambda: client.job(job.id), lambda job: job.finished)
            swapped = time.monotonic()
            time.sleep(5)
            back = client.activate(first.name, first.version)
            asked = time.monotonic()
            until(lambda: client.job(back.id), lambda job: job.finished)
            rolled = time.monotonic()
            time.sleep(5)
            answering = client.health().model.name
            stop.set()
            for thread in threads:
                thread.join()
    astray = searches.astray(down, up)
    print(f"killed at {killed_at:,} of {images:,}; ready again after {up - down:.1f} s")
    print(f"the job went on at {goes_on.done:,}, and ended {swapped - up:.0f} s later")
    print(f"back to the first model in {rolled - asked:.1f} s; {answering} answers")
    print(f"\n{'searches':<34} {'number':>7}{'median':>12}{'p95':>12}{'p99':>12}")
    print(told("before", searches.between(began, swap)))
    print(
        told(
            "while the images are embedded",
            [*searches.between(swap, down), *searches.between(up, swapped)],
        )
    )
    print(told("after", searches.between(swapped, time.monotonic())))
    print(f"failed while the service was down  {len(searches.failed) - len(astray):>7}")
    print(f"failed otherwise                   {len(astray):>7}  {astray[:1] or ''}")
    print(
        f"answers that mix models            {len(searches.mixed):>7}  {searches.mixed[:1] or ''}"
    )
    both = searches.models == {"default", "half"}
    return int(bool(astray or searches.mixed) or not both or answering != "default")


if __name__ == "__main__":
    main()
