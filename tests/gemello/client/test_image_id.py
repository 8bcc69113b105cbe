"""The id that a client expects is the one that the service gives."""

from pathlib import Path

from app.gallery import new_image
from gemello import Client
from gemello.client.image_id import DEFAULT_ID_LENGTH, default_id
from tests.support.images import picture


def test_its_length_is_the_services() -> None:
    assert DEFAULT_ID_LENGTH == new_image.DEFAULT_ID_LENGTH


def test_it_is_known_before_an_image_is_sent(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture(1))
    (item,) = client.add([path])
    assert item.id == default_id(path)
