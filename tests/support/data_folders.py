"""A data folder with a few images, as the service left it, and what a test does to it."""

import sqlite3
from pathlib import Path

from app.storage.blob_store import digest_of
from app.storage.records import ImageRecord
from tests.support.galleries import Parts, new, opened
from tests.support.images import picture

IDS = ("a", "b", "c", "d")


def filled(folder: Path) -> list[ImageRecord]:
    """Store four images, each in a transaction of its own; return their records."""
    with opened(folder) as parts:
        for seed, image_id in enumerate(IDS):
            parts.gallery.add([new(seed, image_id, label=f"label {seed}", metadata={"n": seed})])
        parts.gallery.update("b", {"metadata": {"stock": True}})
        return parts.gallery.list_images()


def records(folder: Path) -> list[ImageRecord]:
    """What the gallery holds, once it has been loaded."""
    with opened(folder) as parts:
        check_answers(parts)
        return parts.gallery.list_images()


def check_answers(parts: Parts) -> None:
    """Every image is found by itself, and its bytes are whole."""
    for record in parts.gallery.list_images():
        data = parts.gallery.image(record.id)[1]
        assert digest_of(data) == record.sha256
        assert parts.search(data).matches[0].distance < 1e-3
    assert len(parts.gallery) == len(parts.gallery.list_images())


def blob(folder: Path, seed: int) -> Path:
    digest = digest_of(picture(seed))
    return folder / "blobs" / digest[:2] / digest


def tamper(folder: Path, statement: str) -> None:
    database = sqlite3.connect(folder / "gallery.sqlite3")
    database.execute(statement)
    database.commit()
    database.close()
