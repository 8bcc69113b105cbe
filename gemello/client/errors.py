"""What can go wrong between a client and the service.

Unreachable   no Gemello answers at the address
ApiError      the service refused a request
"""

from collections.abc import Mapping
from typing import Any


class Unreachable(Exception):
    """No Gemello answers at the address."""


class ApiError(Exception):
    """The service refused a request: its ``status``, stable ``code``, and the whole ``problem``."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or f"the service answered {status}"))
        self.status, self.problem = status, problem
        self.code = str(problem.get("code", "unknown"))
