"""What every answer says of a stored image, and of a model."""

from typing import Any
from urllib.parse import quote

from app.api import responses as answers
from app.bundle.encoder import Vectors
from app.bundle.manifest import Manifest
from app.storage.records import ImageRecord


def image_fields(record: ImageRecord, vector: Vectors | None = None) -> dict[str, Any]:
    # An id is stored as given; in a path it must be quoted.
    url = f"/gallery/{quote(record.id, safe='')}"
    return {
        "id": record.id,
        "label": record.label,
        "filename": record.filename,
        "metadata": record.metadata,
        "width": record.width,
        "height": record.height,
        "media_type": record.media_type,
        "bytes": record.bytes,
        "created_at": record.created_at,
        "image_url": f"{url}/image",
        "thumbnail_url": f"{url}/thumbnail",
        "embedding": None if vector is None else vector.tolist(),
    }


def model_info(model: Manifest) -> answers.ModelInfo:
    return answers.ModelInfo(name=model.name, version=model.version, id=model.model_id)
