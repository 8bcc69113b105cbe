"""A gallery moved as one file: the same answers, without embedding again."""

import hashlib
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.bundle.openvino import OpenVinoEncoder
from app.config import Settings
from app.storage.blob_store import digest_of
from gemello.client import ApiError, Client
from gemello.gallery_file import GalleryFileError, export_gallery, import_gallery, read_summary
from tests.support.command_line import run
from tests.support.images import picture
from tests.support.serving import in_thread
from tests.support.tiny_model import publish_tiny


def fill(client: Client, count: int = 18) -> None:
    client.add(
        [picture(i) for i in range(count)],
        ids=[f"id{i:02}" for i in range(count)],
        names=[f"photo {i}.png" for i in range(count)],
        labels=[f"label {i % 3}" if i % 4 else None for i in range(count)],
        metadata=[{"price": i / 3, "größe": ["a", None]} for i in range(count)],
    )
    client.add([picture(0)], ids=["twin"])


def answers(client: Client) -> list[Any]:
    pages = [client.search(picture(i), top_k=50) for i in (3, 77)]
    return [
        [(r.rank, r.id, r.distance, r.score, r.label, r.filename, r.metadata) for r in page.results]
        for page in pages
    ]


def test_the_same_answers_with_hardly_an_image_embedded_again(
    client: Client, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client)
    before = answers(client)
    target = tmp_path / "gallery.zip"
    assert export_gallery(client, target).images == 19
    assert read_summary(target).images == 19
    names = zipfile.ZipFile(target).namelist()
    assert len(names) == 20, "two records share their bytes"
    embedded = 0
    original = OpenVinoEncoder.embed

    def counted(self: OpenVinoEncoder, images: Any) -> Any:
        nonlocal embedded
        embedded += len(images)
        return original(self, images)

    fresh = settings.model_copy(update={"data_dir": tmp_path / "fresh"})
    with in_thread(fresh) as other, Client(str(other.base_url)) as receiver:
        monkeypatch.setattr(OpenVinoEncoder, "embed", counted)
        statuses = [item.status for _, item in import_gallery(receiver, target)]
        assert statuses == ["created"] * 19
        assert embedded == 2, "one of each request is compared with what the model makes of it"
        monkeypatch.undo()
        assert answers(receiver) == before
        assert [image.id for image in receiver.images()] == [image.id for image in client.images()]
        again = [item.status for _, item in import_gallery(receiver, target)]
        assert again == ["skipped"] * 19


def test_another_model_embeds_them_anew(client: Client, settings: Settings, tmp_path: Path) -> None:
    fill(client, 5)
    target = tmp_path / "gallery.zip"
    export_gallery(client, target)
    publish_tiny(tmp_path / "store", offset=0.5)
    other = settings.model_copy(
        update={"data_dir": tmp_path / "fresh", "model_store": tmp_path / "store"}
    )
    with in_thread(other) as server, Client(str(server.base_url)) as receiver:
        assert len(list(import_gallery(receiver, target))) == 6
        first = receiver.search(picture(3)).results[0]
        assert (first.id, first.distance) == ("id03", pytest.approx(0, abs=1e-3))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_exported_gallery_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(GalleryFileError, match="is not an exported gallery"):
        read_summary(path)
    with pytest.raises(GalleryFileError, match="cannot be read"):
        read_summary(tmp_path / "none.zip")


def test_a_damaged_archive_is_one_sentence_and_a_newer_one_is_refused(
    client: Client, tmp_path: Path
) -> None:
    fill(client, 3)
    target = tmp_path / "gallery.zip"
    export_gallery(client, target)
    data = bytearray(target.read_bytes())
    data[200] ^= 0xFF
    target.write_bytes(data)
    with pytest.raises(GalleryFileError, match="is damaged"):
        list(import_gallery(client, target))
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(newer, "w") as archive:
        about = {"format_version": 99, "model": "m", "images": 0}
        archive.writestr("gallery.json", json.dumps(about))
    with pytest.raises(GalleryFileError, match="newer version"):
        read_summary(newer)
    with pytest.raises(GalleryFileError, match="cannot be written"):
        export_gallery(client, tmp_path / "none/gallery.zip")
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    "vector",
    [[], [1.0] * 47, [1.0] * 48, [3e38] * 48, ["x"] * 48, [True] * 48, [1e300] * 48, {"a": 1}, 5],
)
def test_an_impossible_vector_is_refused(client: Client, vector: Any) -> None:
    model = client.health().model.id
    with pytest.raises(ApiError) as caught:
        client.add([picture(1)], embeddings=[vector], embeddings_model=model)
    assert (caught.value.status, caught.value.code) == (422, "parameter_invalid")
    assert client.stats().images == 0


def test_embeddings_can_be_listed(client: Client) -> None:
    fill(client, 2)
    page = client.page(embeddings=True)
    assert [len(image.embedding or []) for image in page.images] == [48] * 3
    assert page.model.id == client.health().model.id
    assert client.page().images[0].embedding is None
    assert client.content("id01") == picture(1)


def test_a_file_of_the_first_version_is_still_read(client: Client) -> None:
    source = Path(__file__).parent / "data" / "export_v1.zip"
    assert read_summary(source).images == 3
    assert [item.status for _, item in import_gallery(client, source)] == ["created"] * 3
    first, second, third = client.images()
    assert (first.id, first.label, first.filename) == ("shoe-1", "shoe", "red shoe.png")
    assert first.metadata == {"price": 59, "stock": True}
    assert second.metadata == {"price": 49.5, "größe": ["S", None]}
    assert (third.label, third.metadata, third.filename) == (None, {}, "hut.png")
    (nearest, *_) = client.search(client.content("shoe-2")).results
    assert (nearest.id, nearest.distance) == ("shoe-2", pytest.approx(0, abs=1e-3))


def write(path: Path, images: dict[str, bytes], *lines: str, **about: Any) -> Path:
    """A file as ``gallery export`` writes it, but for what a test makes of it."""
    summary = {"format_version": 1, "model": "m", "images": len(lines), **about}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in images.items():
            archive.writestr(f"images/{name}", data)
        archive.writestr("images.jsonl", "\n".join(lines))
        archive.writestr("gallery.json", json.dumps(summary))
    return path


def test_hardening_a_file_of_empty_entries_takes_bounded_memory(tmp_path: Path) -> None:
    """23 MB of 400,000 entries took 262 MB before anything was known to be wrong."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(40_000):
            archive.writestr(f"{number}", b"")
    tracemalloc.start()
    with pytest.raises(GalleryFileError, match="is not an exported gallery: it has more than"):
        read_summary(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize(
    "image_id", ["a\u3000b", "a\u00a0b", "👩\u200d🚀", "e\u0301 \u202e", "a b"]
)
def test_every_id_that_the_service_takes_can_be_moved(
    client: Client, tmp_path: Path, image_id: str
) -> None:
    client.add([picture(1)], ids=[image_id])
    export_gallery(client, tmp_path / "gallery.zip")
    client.remove(image_id)
    moved = [item.id for _, item in import_gallery(client, tmp_path / "gallery.zip")]
    assert moved == [image_id]


def line(data: bytes, **changes: Any) -> str:
    record: dict[str, Any] = {
        "id": "a",
        "sha256": hashlib.sha256(data).hexdigest(),
        "filename": None,
        "label": None,
        "metadata": {},
        "embedding": None,
    }
    return json.dumps({**record, **changes})


DIGEST = hashlib.sha256(picture(1)).hexdigest()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["[" * 200_000], "line 1 of images.jsonl describes no image"),
        ([line(picture(1)), "{}"], "line 2 of images.jsonl describes no image"),
        ([line(picture(1), id=7)], "describes no image"),
        ([line(picture(1), id="\x1b[31m")], "describes no image"),
        ([line(picture(1), sha256="../../etc/passwd")], "describes no image"),
        ([line(picture(1), embedding=["x"])], "describes no image"),
        (["x" * 1_000_001], "a line of more than 1,000,000 bytes"),
        ([line(picture(2))], "it holds no images/"),
    ],
)
def test_hardening_a_hostile_line_is_one_sentence(
    client: Client, tmp_path: Path, lines: list[str], reason: str
) -> None:
    path = write(tmp_path / "x.zip", {DIGEST: picture(1)}, *lines)
    with pytest.raises(GalleryFileError, match=reason):
        list(import_gallery(client, path))
    assert client.stats().images == 0


def test_hardening_an_image_is_held_to_its_name(client: Client, tmp_path: Path) -> None:
    path = write(tmp_path / "x.zip", {DIGEST: picture(2)}, line(picture(1)))
    with pytest.raises(GalleryFileError, match="is not what its name says"):
        list(import_gallery(client, path))
    assert client.stats().images == 0


def test_hardening_a_file_of_2_mb_takes_bounded_memory(client: Client, tmp_path: Path) -> None:
    bomb = bytes(150_000_000)
    name = hashlib.sha256(bomb).hexdigest()
    path = write(tmp_path / "x.zip", {name: bomb}, *[line(bomb, id=str(i)) for i in range(26)])
    del bomb
    assert path.stat().st_size < 2_000_000
    tracemalloc.start()
    with pytest.raises(GalleryFileError, match="more than 100,000,000 bytes"):
        list(import_gallery(client, path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250_000_000


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "{}", "[]", '{"format_version": "x"}', "x" * 99_999]
)
def test_a_summary_that_is_none_is_one_sentence(tmp_path: Path, content: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("gallery.json", content)
    with pytest.raises(GalleryFileError, match="is not an exported gallery"):
        read_summary(tmp_path / "x.zip")


def test_hardening_an_image_does_not_lie_under_the_vector_of_another(client: Client) -> None:
    made = client.embed([picture(1), picture(2)]).items
    model = client.health().model.id
    with pytest.raises(ApiError, match="not what the model makes of its image") as caught:
        client.add([picture(1)], embeddings=[made[1].embedding], embeddings_model=model)
    assert (caught.value.status, caught.value.code) == (422, "parameter_invalid")
    assert client.stats().images == 0
    nearly = [round(number, 3) for number in made[0].embedding or []]
    assert (
        client.add([picture(1)], embeddings=[nearly], embeddings_model=model)[0].status == "created"
    )


def test_a_damaged_image_is_named_and_the_others_are_exported(
    settings: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "gallery.zip"
    with in_thread(settings) as server, Client(str(server.base_url)) as client:
        fill(client, 5)
        digest = digest_of(picture(2))
        path = settings.data_dir / "blobs" / digest[:2] / digest
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        exported = export_gallery(client, target)
        assert (exported.images, list(exported.damaged)) == (5, ["id02"])
        assert "add the same file again" in exported.damaged["id02"]
        done = run("gallery", "export", target, "--url", server.base_url)
        assert (done.returncode, done.stdout) == (1, f"5 images in {target}\n")
        assert "id02: The stored image" in done.stderr
    assert read_summary(target).images == 5
