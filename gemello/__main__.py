"""``python -m gemello …`` is ``gemello …``, whatever lies in the current folder."""

import sys
from collections.abc import Sequence
from pathlib import Path

HOME = str(Path(__file__).resolve().parents[1])
"""The folder that holds this package, and in a clone ``app`` and ``trainer``."""


def import_path(path: Sequence[str], current: str) -> list[str]:
    """Return ``path`` without the current folder, which ``python -m`` puts first.

    A package of the user's own there, named ``app`` or ``trainer``, would be imported in place of ours.
    """
    others = list(path[1:] if path[:1] in ([current], [""]) else path)
    # In the container nothing is installed: the packages lie in the current folder.
    return others if HOME in others else [*others, HOME]


def main() -> None:
    """Run the command line."""
    if not sys.flags.safe_path:
        sys.path[:] = import_path(sys.path, str(Path.cwd()))
    from gemello import cli

    cli.main()


if __name__ == "__main__":
    main()
