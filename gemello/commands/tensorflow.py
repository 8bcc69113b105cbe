"""Loads TensorFlow for the commands that need it, without its chatter."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from gemello.commands.errors import CommandError


def load_tensorflow() -> None:
    """Import TensorFlow and look for GPUs. Raises ``CommandError`` when it is missing."""
    with _quiet():
        # The trainer's package sets TensorFlow's log level, so it comes first.
        import trainer  # noqa: F401

        try:
            import tensorflow as tf
        except ImportError as exc:
            raise CommandError("TensorFlow is not installed; run `make setup-train`.") from exc
        tf.config.list_physical_devices()
        # The first operation reports on drivers. Workers of TF_CONFIG must be joined before theirs.
        if "TF_CONFIG" not in os.environ:
            tf.constant(0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what native code writes to standard error, and show it only when something fails.

    TensorFlow writes its build and its search for drivers before any log level is in force.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except CommandError:
            raise
        except BaseException:
            captured.seek(0)
            os.write(original, captured.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
