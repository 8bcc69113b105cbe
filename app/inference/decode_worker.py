"""The process that decodes what is heavy: it may be killed, and holds nobody else up.

``python -m app.inference.decode_worker DESCRIPTOR`` answers jobs over that socket until it is closed. It
imports neither the model's runtime nor the index nor the web framework.
"""

import ctypes
import math
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import pi_heif
from PIL import AvifImagePlugin

from app.errors import ImageError, ImageUndecodable
from app.inference.decode_job import DecodeJob, refused, succeeded

T = TypeVar("T")

# Beside what a picture is estimated to take: the interpreter's own needs, and the estimate's error.
_SPARE_MEMORY = 96_000_000
# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1


def serve(connection: Connection) -> None:
    """Answer jobs until the other end is gone."""
    while True:
        try:
            job, data = DecodeJob.received(connection)
            _limit(job.memory, job.cpu_seconds)
            connection.send_bytes(_answer(job, data))
        except (EOFError, OSError):
            return


def _answer(job: DecodeJob[T], data: bytes) -> bytes:
    wanted = job.wanted
    try:
        return succeeded(wanted.pack(wanted.make(wanted.open(data, job.limits))))
    except ImageError as exc:
        return refused(exc)
    except MemoryError:
        return refused(ImageUndecodable("decoding it needs too much memory"))


def _limit(memory: int, cpu_seconds: int) -> None:
    """Hold the next job to ``memory`` more bytes than are taken now, and to its processor time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = math.ceil(usage.ru_utime + usage.ru_stime)
    _set(resource.RLIMIT_CPU, spent + cpu_seconds)
    if (now := _private_memory()) is not None:
        _set(resource.RLIMIT_DATA, now + memory + _SPARE_MEMORY)


def _set(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _private_memory() -> int | None:
    """Bytes that count towards ``RLIMIT_DATA``; None on systems that do not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


def _end_with_the_service() -> None:
    """Have the system end this process when the service was killed; an idle one sees its socket close anyway."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    _end_with_the_service()
    # A stop is the parent's business: it ends what it has accepted, then closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever searches with a small picture comes first.
    os.nice(10)
    # One core for each worker: the rest is for others.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pi_heif.options.DECODE_THREADS = 1
    with Connection(int(sys.argv[1])) as connection:
        serve(connection)


if __name__ == "__main__":
    main()
