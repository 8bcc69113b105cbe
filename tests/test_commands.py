"""Where some tests look for what is in ``tests.support.command_line``."""

from tests.support.command_line import refusal
from tests.support.command_line import run_process as run

__all__ = ["refusal", "run"]
