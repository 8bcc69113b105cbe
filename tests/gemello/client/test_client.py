"""The Python client against a real service."""

import asyncio
import inspect
import pydoc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from gemello import ApiError, AsyncClient, Client
from tests.support.images import picture


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.png" for seed in range(5)]
    for seed, path in enumerate(paths):
        path.write_bytes(picture(seed))
    return paths


def test_the_whole_life_of_an_image(client: Client, files: list[Path]) -> None:
    assert client.health().gallery.images == 0
    items = client.add(
        files[:2], ids=["späte tür?", None], labels=["door", None], metadata=[{"price": 5}, None]
    )
    assert [item.status for item in items] == ["created", "created"]
    record = client.get("späte tür?")
    assert (record.label, record.metadata) == ("door", {"price": 5})
    assert record.filename == "0.png"
    for query in (files[0], picture(0)):
        answer = client.search(query, top_k=1)
        assert [result.id for result in answer.results] == ["späte tür?"]
    assert client.search(files[0], offset=1).results[0].rank == 2
    client.remove("späte tür?")
    with pytest.raises(ApiError, match="no image with the id") as caught:
        client.get("späte tür?")
    assert (caught.value.status, caught.value.code) == (404, "image_not_found")


def test_every_record_is_listed_however_many_a_page_holds(
    client: Client, files: list[Path]
) -> None:
    client.add(files)
    names = [path.name for path in files]
    for limit in (1, 2, 5, 1000):
        assert [image.filename for image in client.images(limit=limit)] == names


def test_refused_files_are_items_and_a_refused_request_raises(
    client: Client, files: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no image")
    assert [item.status for item in client.add([files[0], text])] == ["created", "failed"]
    (item,) = client.add([text])
    assert item.error is not None
    assert item.error.code == "image_type_unsupported"
    (item,) = client.add([files[0]], on_conflict="error")
    assert item.error is not None
    assert item.error.status == 409
    with pytest.raises(ApiError) as caught:
        client.add([files[0]], labels=["a", "b"])
    assert (caught.value.status, caught.value.code) == (422, "parameter_invalid")
    with pytest.raises(ApiError) as caught:
        client.search(text)
    assert caught.value.status == 415


def test_every_call_of_the_api_has_its_method(client: Client, files: list[Path]) -> None:
    client.add(files, labels=["shoe", "shoe", "hat", None, None], ids=list("abcde"))
    assert client.update("a", label="boot", metadata={"stock": True}).metadata == {"stock": True}
    found = client.search(files[1], filter={"stock": True}, embeddings=True)
    assert [result.id for result in found.results] == ["a"]
    assert len(found.results[0].embedding or []) == 48
    assert found.model.name == "tiny"
    grouped = client.search("a", files[2], group_by="label", top_k=5, combine="mean")
    assert len({result.group for result in grouped.results if result.group}) == 2
    away = client.search(files[0], unlike=[files[3], "b"], box=(0, 0, 1, 1), flip=True)
    assert all(result.id not in "bd" for result in away.results)
    assert client.search(picture(113), min_score=0.999).match is False
    assert client.similar("a", top_k=2).results[0].id != "a"
    batch = client.search_batch([files[0], b"text"], top_k=1)
    assert batch.items[0].answer is not None
    assert batch.items[0].answer.results[0].id == "a"
    assert batch.items[1].error is not None
    embedded = client.embed([files[0], picture(1)])
    assert [len(item.embedding or []) for item in embedded.items] == [48, 48]
    assert client.compare(files[0], "a").match is True
    assert client.duplicates(max_distance=0).groups == []
    assert client.stats().images == 5
    assert [image.id for image in client.images(filter={"label": "shoe"})] == ["b"]
    assert client.page(limit=2).next_cursor is not None
    assert [(model.version, model.active) for model in client.models()] == [("1", True)]
    job = client.wait(client.activate("tiny", "1").id)
    assert (job.state, client.jobs()[0].id) == ("succeeded", job.id)
    assert client.cancel(job.id).state == "succeeded"
    assert client.remove_where({"label": {"in": ["shoe", "hat"]}}) == 2
    with pytest.raises(ApiError, match="GEMELLO_IMPORT_DIR"):
        client.import_folder("photos")
    with pytest.raises(ApiError, match="GEMELLO_URL_IMPORT"):
        client.import_urls(["http://example.com/a.png"])
    with pytest.raises(ApiError, match="zip archive"):
        client.import_archive(b"text")


def test_the_same_calls_can_be_awaited(url: str, files: list[Path]) -> None:
    async def scenario() -> None:
        async with AsyncClient(url) as client:
            items = await client.add(files)
            assert [item.status for item in items] == ["created"] * 5
            answers = await asyncio.gather(*(client.search(file, top_k=1) for file in files))
            assert [answer.results[0].filename for answer in answers] == [f.name for f in files]
            assert [image.filename async for image in client.images(limit=2)] == [
                f.name for f in files
            ]
            job = await client.wait((await client.activate("tiny", "1")).id)
            assert job.state == "succeeded"
            with pytest.raises(ApiError):
                await client.get("none")

    asyncio.run(scenario())


CALLS = [name for name in dir(Client) if not name.startswith("_")]


def test_both_clients_have_the_same_calls() -> None:
    assert [name for name in dir(AsyncClient) if not name.startswith("_")] == CALLS
    assert len(CALLS) == 29
    for name in CALLS:
        sync, twin = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.signature(sync).parameters == inspect.signature(twin).parameters, name
        assert sync.__doc__ == twin.__doc__, name


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_help_reads_like_a_method(kind: type) -> None:
    for name in CALLS:
        method: Callable[..., object] = getattr(kind, name)
        first, *others = inspect.signature(method).parameters.values()
        assert first.name == "self"
        assert all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in others), name
        assert {each.name for each in others} | {"return"} <= get_type_hints(method).keys(), name
        assert name == "close" or "``Unreachable``" in (method.__doc__ or ""), name
    text = pydoc.plain(pydoc.render_doc(kind.search))  # type: ignore[attr-defined]
    assert "search(self, *like: pathlib.Path | bytes | str, box: tuple[float, " in text
    assert "group_by: str | None = None" in text
    assert ") -> gemello.client.results.SearchAnswer\n" in text
    assert "Return the gallery sorted by distance" in text


def test_a_misspelt_option_is_an_error_and_not_ignored() -> None:
    misspelt: dict[str, Any] = {"topk": 5}
    with Client("http://127.0.0.1:9") as client:
        for ask in (
            lambda: client.search(b"", **misspelt),
            lambda: client.search_batch([b""], **misspelt),
            lambda: client.similar("a", **misspelt),
        ):
            with pytest.raises(TypeError, match="'topk'"):
                ask()


def test_the_client_needs_httpx_alone() -> None:
    program = (
        "import sys, gemello.client\n"
        "heavy = {'app', 'trainer', 'numpy', 'PIL', 'fastapi', 'typer', 'openvino', 'faiss'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
