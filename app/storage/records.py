"""What is known of the stored images."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What is known of a stored image; ``position`` orders the gallery by arrival."""

    id: str
    sha256: str
    filename: str | None
    label: str | None
    metadata: dict[str, Any]
    width: int
    height: int
    media_type: str
    bytes: int
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    position: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a gallery: ``vectors`` by model id, dates of the oldest and newest image."""

    images: int
    bytes: int
    labels: int
    media_types: dict[str, int]
    vectors: dict[str, int]
    oldest: str | None
    newest: str | None
