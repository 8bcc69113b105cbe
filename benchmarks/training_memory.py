"""Peak memory of `gemello train` on more and more images: it must not grow with them.

    .venv/bin/python benchmarks/training_memory.py [--sizes 1000,10000,100000] [--set KEY=VALUE …]

Draws that many JPEGs in classes of ten, trains a few steps on each in a process of its own, and
prints peak memory (resident pages of the process and its children, as the kernel counts them),
wall time, the speed at which the decoded images were cached, and each over the size before. Needs
about 8 GB of disk at 100,000 images, below --folder; what it wrote is removed at the end.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE, PER_CLASS = 256, 10
# A few steps of everything; what is not named here stays at its default. In fewer steps of the
# whole network chance decides whether its peak is met: with ten, runs of one size differed by 450 MB.
OPTIONS = ("epochs=1", "batch.steps_per_epoch=40", "data.head_images=2000")
_POLL_S = 0.05
# The kernel's counts are exact to some pages for each CPU.
_SLACK_KB = 4096


@dataclass
class Run:
    """``peak`` in bytes; ``cached`` in images a second."""

    images: int
    peak: int
    wall_s: float
    cached: float


def draw_class(folder: Path, label: int, count: int) -> None:
    """A polygon of the class's own on soft noise, in ``count`` pictures that differ."""
    target = folder / f"class{label:06d}"
    target.mkdir(parents=True)
    shape = np.random.default_rng(label)
    corners = shape.uniform(0.15, 0.85, (int(shape.integers(3, 8)), 2)) * SIDE
    ink = tuple(shape.integers(0, 256, 3).tolist())
    for place in range(count):
        change = np.random.default_rng((label, place))
        soft = Image.fromarray(change.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        image = soft.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        moved = corners + change.uniform(-SIDE / 8, SIDE / 8, 2)
        ImageDraw.Draw(image).polygon([tuple(corner) for corner in moved], fill=ink)
        image.save(target / f"{place:02d}.jpg", quality=85)


def draw(folder: Path, images: int) -> Path:
    """``folder/classNNNNNN/NN.jpg``, in as many processes as there are CPUs."""
    classes = range(images // PER_CLASS)
    with ProcessPoolExecutor() as pool:
        list(
            pool.map(
                draw_class,
                [folder] * len(classes),
                classes,
                [PER_CLASS] * len(classes),
                chunksize=20,
            )
        )
    return folder


def train(data: Path, images: int, work: Path, options: Iterable[str]) -> Run:
    """One run of the real command, watched from outside."""
    cache, log = work / "cache", work / "log.txt"
    command = [sys.executable, "-c", "from gemello.cli import main; main()", "train", str(data)]
    command += ["--name", "memory", "--backbone", "efficientnet_lite0"]
    command += ["--store", str(work / "store"), "--cache", str(cache)]
    command += [part for option in options for part in ("--set", option)]
    start = time.monotonic()
    peak, building, built = 0, None, None
    with log.open("wb") as stream, subprocess.Popen(command, stderr=stream, stdout=stream) as run:
        try:
            while run.poll() is None:
                peak = max(peak, resident(run.pid) * 1024)
                if any(cache.glob(".*.part")):
                    building, built = building or time.monotonic(), time.monotonic()
                time.sleep(_POLL_S)
        finally:
            run.kill()
    wall = time.monotonic() - start
    if run.returncode:
        raise SystemExit(f"training on {images:,} images failed:\n{log.read_text()[-3000:]}")
    seconds = (built or 0) - (building or 0)
    return Run(images, peak, wall, images / seconds if seconds else float("nan"))


def resident(process: int) -> int:
    """Kilobytes of ``process``, at its highest so far, and what its descendants have of their own.

    A fork shares its parent's pages until it writes; those are not counted twice.
    """
    highest = kilobytes(process, "status", "VmHWM")
    return highest + sum(private(child, process, highest) for child in children_of(process))


def private(process: int, parent: int, before: int) -> int:
    """``before`` is the parent's high-water mark, read a moment ago."""
    highest = kilobytes(process, "status", "VmHWM")
    # A vfork is its parent, pages and marks and all, until it starts a program.
    if before - _SLACK_KB <= highest <= kilobytes(parent, "status", "VmHWM") + _SLACK_KB:
        return 0
    own = kilobytes(process, "smaps_rollup", "Private_")
    return own + sum(private(child, process, highest) for child in children_of(process))


def children_of(process: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(p) for task in tasks for p in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []


def kilobytes(process: int, file: str, field: str) -> int:
    """The sum of the lines that start with ``field``."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(field))


def row(run: Run, before: Run | None) -> str:
    def over(value: float, other: float | None) -> str:
        return f"(×{value / other:.2f})" if other else ""

    peak = over(run.peak, before and before.peak)
    wall = over(run.wall_s, before and before.wall_s)
    cached = over(run.cached, before and before.cached)
    return (
        f"{run.images:>9,} {run.peak / 1e6:>9,.0f} MB {peak:>8} {run.wall_s:>8,.0f} s {wall:>8}"
        f" {run.cached:>8,.0f} images/s {cached:>8}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--folder", type=Path, help="where to write; the system's by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    options = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("Peak memory is read from /proc, which only Linux has.")
    # So that what was written is removed when the benchmark is ended from outside, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"options: {' '.join([*OPTIONS, *options.settings])}; {os.cpu_count()} CPUs")
    print(f"{'images':>9} {'peak memory':>12} {'':8} {'wall time':>10} {'':8} {'cached':>17}")
    before = None
    for images in (int(size) for size in options.sizes.split(",")):
        work = Path(tempfile.mkdtemp(prefix="gemello-memory-", dir=options.folder))
        try:
            data = draw(work / "images", images)
            run = train(data, images, work, [*OPTIONS, *options.settings])
        finally:
            shutil.rmtree(work, ignore_errors=True)
        print(row(run, before), flush=True)
        before = run


if __name__ == "__main__":
    main()
