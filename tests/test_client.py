"""The Python client against a real service, and against stubs that refuse, fail or talk nonsense."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemello import ApiError, AsyncClient, Client, Unreachable
from tests.support.images import picture
from tests.support.serving import free_port

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b'{"items": []}')


@contextmanager
def stub(*answers: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers in turn, the last one for ever; and the bodies it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            status, headers, body = answers[min(len(bodies), len(answers)) - 1]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def busy(status: int = 429, after: str | None = "0") -> Answer:
    headers = {} if after is None else {"Retry-After": after}
    return status, headers, json.dumps({"code": "overloaded", "detail": "Busy."}).encode()


@pytest.fixture
def client(server: httpx.Client) -> Iterator[Client]:
    with Client(str(server.base_url)) as client:
        yield client


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


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_with_the_whole_body(status: int, files: list[Path]) -> None:
    with stub(busy(status), busy(status), OK) as (url, bodies), Client(url) as client:
        client.add(files[:1])
    assert len(bodies) == 3
    assert [len(body) for body in bodies[:3]] == [len(bodies[0])] * 3
    assert picture(0) in bodies[2]


@pytest.mark.parametrize(("after", "seconds"), [("7", 7.0), ("0", 0.0), (None, 1.0), ("soon", 1.0)])
def test_it_waits_as_long_as_the_service_says(
    after: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("gemello.client.client.time.sleep", waited.append)
    with stub(busy(after=after), OK) as (url, bodies), Client(url) as client:
        client.remove("a")
    assert waited == [seconds]
    assert len(bodies) == 2


def test_it_gives_up_after_its_retries() -> None:
    with stub(busy()) as (url, bodies), Client(url, retries=2) as client:
        with pytest.raises(ApiError, match="Busy") as caught:
            client.get("a")
        assert caught.value.status == 429
    assert len(bodies) == 3


def test_health_and_other_failures_are_not_asked_again() -> None:
    with stub(busy(503)) as (url, bodies), Client(url) as client:
        with pytest.raises(ApiError) as caught:
            client.health()
        assert caught.value.status == 503
    assert len(bodies) == 1
    failure: tuple[int, dict[str, str], bytes] = (500, {}, b"<html>broken</html>")
    with stub(failure) as (url, bodies), Client(url) as client:
        with pytest.raises(ApiError, match="the service answered 500") as caught:
            client.get("a")
        assert caught.value.code == "unknown"
    assert len(bodies) == 1


@pytest.mark.parametrize("body", [b"<html>a page</html>", b"[1, 2]", b"", b"\xff\xfe\xfd"])
def test_another_programs_answer_is_not_taken_for_ours(body: bytes) -> None:
    with (
        stub((200, {}, body)) as (url, _),
        Client(url) as client,
        pytest.raises(Unreachable, match=f"^{url} answers, but not as Gemello does"),
    ):
        client.health()


def test_nobody_there_is_one_sentence() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url) as client, pytest.raises(Unreachable, match=f"No Gemello answers at {url}: "):
        client.health()


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1", "http://[::1", "http://a b:x"])
def test_an_impossible_address_is_one_sentence(url: str) -> None:
    with pytest.raises(Unreachable, match="No Gemello answers at"), Client(url) as client:
        client.health()


def test_the_key_is_sent() -> None:
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["X-API-Key"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    for key in ("secret", None):
        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            url = f"http://127.0.0.1:{server.server_port}"
            with Client(url, key=key) as client, suppress(Unreachable):
                client.health()
            thread.join()
    assert seen == ["secret", None]


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
    with pytest.raises(ApiError, match="no zip archive"):
        client.import_archive(b"text")


def test_the_same_calls_can_be_awaited(server: httpx.Client, files: list[Path]) -> None:
    async def live() -> None:
        async with AsyncClient(str(server.base_url)) as client:
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

    asyncio.run(live())


def test_both_clients_have_the_same_calls() -> None:
    def calls(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert calls(Client) == calls(AsyncClient)
    assert Client.search.__doc__ == AsyncClient.search.__doc__


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


def test_a_newer_services_fields_are_no_error() -> None:
    body = {
        "status": "ok",
        "version": "9",
        "uptime_s": 1,
        "new": {},
        "gallery": {"images": 1, "x": 2},
    }
    body["model"] = {
        "name": "m",
        "version": "1",
        "id": "i",
        "dimension": 4,
        "runtime": "r",
        "y": [],
    }
    with stub((200, {}, json.dumps(body).encode())) as (url, _), Client(url) as client:
        assert client.health().gallery.images == 1
