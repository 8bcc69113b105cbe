"""The image files of a folder on this machine, and the labels and names that their paths give.

Needs the standard library alone, so that the client, the service and the trainer share it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
"""The endings of image files, in lower case."""


def image_files(root: Path) -> Iterator[Path]:
    """Yield every file below ``root`` with an image's suffix, in order, without hidden ones.

    Raises ``NotADirectoryError`` when ``root`` is not a folder.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder.")
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            # Opening a pipe would wait for ever; a dangling link is yielded, to be reported.
            if path.is_file() or not path.exists():
                yield path


def label_of(path: Path, root: Path) -> str | None:
    """Return the first folder below ``root`` on the way to ``path``; None for files directly in it."""
    parts = path.relative_to(root).parts
    return shown(parts[0]) if len(parts) > 1 else None


def shown(name: str) -> str:
    """Return a file's name as valid Unicode, which on Linux it need not be."""
    return os.fsencode(name).decode(errors="replace")
