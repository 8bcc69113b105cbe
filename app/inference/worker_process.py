"""A decoding process as the service sees it: started when it is first needed, and again when it has died."""

import os
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from signal import SIGXCPU
from typing import TypeVar

import structlog

from app.errors import ImageError, ImageUndecodable, Overloaded
from app.images.limits import ImageLimits
from app.images.prepare import Wanted
from app.inference.decode_job import DecodeJob, result_of

log = structlog.get_logger()

T = TypeVar("T")

# Processor time for one image, three times what the dearest takes that the limits allow. The second is for
# a process that hangs, or that the machine has no time for.
CPU_SECONDS, PATIENCE_S = 30, 180
# More than any model's input; what one that was taken over may make us hold.
_LARGEST_ANSWER = 64_000_000
# The process works on bytes of strangers, and gets no variable that it does not need: some are keys.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_ENVIRONMENT = {
    # What a picture took is given back to the system, not kept for the next one.
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    # NumPy's threads would each hold memory, and have nothing to do.
    "OPENBLAS_NUM_THREADS": "1",
}


class WorkerProcess:
    """One image at a time; for one caller at a time."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._running: tuple[subprocess.Popen[bytes], Connection] | None = None

    def decode(
        self, wanted: Wanted[T], data: bytes, memory: int, cpu_seconds: int | None = None
    ) -> T:
        """Make what is ``wanted`` of ``data`` within ``memory`` bytes and ``cpu_seconds``, as many as any may take.

        Raises an ``ImageError``, or ``Overloaded`` when the system gives no process.
        """
        process, connection = self._started()
        try:
            seconds = min(cpu_seconds or CPU_SECONDS, CPU_SECONDS)
            DecodeJob(wanted, self._limits, memory, seconds).send(connection, data)
            if not connection.poll(PATIENCE_S):
                raise TimeoutError
            return wanted.unpack(result_of(connection.recv_bytes(_LARGEST_ANSWER)))
        except (EOFError, OSError, ValueError) as exc:
            self._end()
            log.warning("a decoding process has failed", status=process.returncode)
            slow = isinstance(exc, TimeoutError) or process.returncode == -SIGXCPU
            raise ImageUndecodable(
                "decoding it takes too long" if slow else "its decoder failed"
            ) from exc
        except ImageError:
            raise
        except BaseException:
            # Whatever it has answered, the next caller must not be given it.
            self._end()
            raise

    def close(self) -> None:
        """Let the process end, if there is one; it has no job left."""
        if self._running:
            process, connection = self._running
            connection.close()
            process.wait()
            self._running = None

    def _end(self) -> None:
        """Kill the process, unless it has died already; the next job starts another."""
        if self._running:
            process, connection = self._running
            connection.close()
            try:
                # One that died is given the moment to say of what.
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._running = None

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        # One that the system killed while it was idle must not cost an image.
        if self._running and self._running[0].poll() is not None:
            self._end()
        if not self._running:
            try:
                self._running = _start()
            except OSError as exc:
                raise Overloaded() from exc
        return self._running


def _start() -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = Pipe()
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.inference.decode_worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)}
