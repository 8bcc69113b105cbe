"""Records with little in them, and their vectors."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.storage.gallery_store import GalleryStore
from app.storage.records import ImageRecord


def record(image_id: str, **changes: Any) -> ImageRecord:
    plain = ImageRecord(
        id=image_id,
        sha256=f"sha-{image_id}",
        filename=None,
        label=None,
        metadata={},
        width=96,
        height=64,
        media_type="image/png",
        bytes=1000,
    )
    return replace(plain, **changes)


def put(store: GalleryStore, *ids: str, model: str = "m", value: float = 0) -> None:
    """Store images whose vectors are [value, value, value, value]."""
    store.put([record(i) for i in ids], np.full((len(ids), 4), value, np.float32), model)


def put_points(
    store: GalleryStore, points: Sequence[Sequence[float]], metadata: Sequence[dict[str, Any]] = ()
) -> list[str]:
    """Store an image at each point of the plane, for the model "m", and load it; return the ids."""
    ids = [f"{i:05}" for i in range(len(points))]
    described = [
        record(image_id, metadata=metadata[i] if i < len(metadata) else {})
        for i, image_id in enumerate(ids)
    ]
    store.put(described, np.array(points, np.float32).reshape(-1, 2), "m")
    store.load("m", 2)
    return ids
