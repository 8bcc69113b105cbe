from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gallery.gallery import Gallery
from tests.support.galleries import Parts, opened


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with opened(tmp_path) as parts:
        yield parts


@pytest.fixture
def gallery(parts: Parts) -> Gallery:
    return parts.gallery
