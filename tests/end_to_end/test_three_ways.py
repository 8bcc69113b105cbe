"""Each row of the API from curl, from the client and from the command line: one answer, three ways."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings
from gemello import Client
from tests.support.command_line import run
from tests.support.images import picture
from tests.support.serving import in_thread

PRODUCTS = ("runner", "runner", "beanie", "hiker", "hiker", "clog")
CHANGING = frozenset({"took_ms", "uptime_s"})
WANTED = {"stock": True}


@dataclass(frozen=True)
class Row:
    """A call: curl's options, the client's method, the command's words where there is a command.

    ``key`` is where in the body the client's and the command's answer is.
    """

    curl: tuple[str, ...]
    client: Callable[[Client, Path], Any]
    command: tuple[str, ...] | None = None
    key: str | None = None


ROWS = {
    "search": Row(
        (
            *("-F", "image=@query.png", "-F", "top_k=2", "-F", "offset=1"),
            *("-F", f"filter={json.dumps(WANTED)}", "-F", "group_by=product", "/search"),
        ),
        lambda client, folder: client.search(
            folder / "query.png", top_k=2, offset=1, filter=WANTED, group_by="product"
        ),
        (
            *("search", "query.png", "-k", "2", "--offset", "1"),
            *("--filter", json.dumps(WANTED), "--group-by", "product"),
        ),
    ),
    "search by id": Row(
        (
            *("-F", "id=image-1", "-F", "box=0,0,0.5,1", "-F", "flip=true"),
            *("-F", "max_distance=1.5", "-F", "min_score=0.01", "/search"),
        ),
        lambda client, _: client.search(
            "image-1", box=(0, 0, 0.5, 1), flip=True, max_distance=1.5, min_score=0.01
        ),
        (
            *("search", "--id", "image-1", "--box", "0,0,0.5,1", "--flip"),
            *("--max-distance", "1.5", "--min-score", "0.01"),
        ),
    ),
    "several and unlike": Row(
        (
            *("-F", "image=@query.png", "-F", "image=@other.png", "-F", "combine=mean"),
            *("-F", "unlike=@far.png", "/search"),
        ),
        lambda client, folder: client.search(
            folder / "query.png",
            folder / "other.png",
            combine="mean",
            unlike=[folder / "far.png"],
        ),
        ("search", "query.png", "other.png", "--combine", "mean", "--unlike", "far.png"),
    ),
    "vectors": Row(
        ("-F", "image=@query.png", "-F", "include=embedding", "/search"),
        lambda client, folder: client.search(folder / "query.png", embeddings=True),
    ),
    "batch": Row(
        ("-F", "images=@query.png", "-F", "images=@notes.txt", "-F", "top_k=1", "/search/batch"),
        lambda client, folder: client.search_batch(
            [folder / "query.png", folder / "notes.txt"], top_k=1
        ),
    ),
    "similar": Row(
        ("/gallery/image-2/similar?top_k=3",),
        lambda client, _: client.similar("image-2", top_k=3),
    ),
    "list": Row(
        ("-G", "--data-urlencode", f"filter={json.dumps(WANTED)}", "/gallery"),
        lambda client, _: list(client.images(filter=WANTED)),
        ("gallery", "list", "--filter", json.dumps(WANTED)),
        "images",
    ),
    "get": Row(
        ("/gallery/image-3",),
        lambda client, _: client.get("image-3"),
        ("gallery", "show", "image-3"),
    ),
    "patch": Row(
        (
            *("-X", "PATCH", "-H", "Content-Type: application/json"),
            *("-d", '{"label": "seen", "metadata": {"price": 7}}', "/gallery/image-4"),
        ),
        lambda client, _: client.update("image-4", label="seen", metadata={"price": 7}),
        ("gallery", "set", "image-4", "--label", "seen", "--metadata", '{"price": 7}'),
    ),
    "embed": Row(
        ("-F", "images=@query.png", "-F", "images=@notes.txt", "/embed"),
        lambda client, folder: client.embed([folder / "query.png", folder / "notes.txt"]),
    ),
    "compare": Row(
        ("-F", "images=@query.png", "-F", "id=image-0", "/compare"),
        lambda client, folder: client.compare(folder / "query.png", "image-0"),
    ),
    "duplicates": Row(
        ("/duplicates?max_distance=0.9",),
        lambda client, _: client.duplicates(max_distance=0.9),
        ("duplicates", "--max-distance", "0.9"),
    ),
    "stats": Row(("/stats",), lambda client, _: client.stats(), ("gallery", "stats")),
    "models": Row(("/models",), lambda client, _: client.models(), key="models"),
    "jobs": Row(("/jobs",), lambda client, _: client.jobs(), ("jobs", "list"), "jobs"),
    "health": Row(("/health",), lambda client, _: client.health(), ("health",)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    for name, seed in {"query": 0, "other": 1, "far": 40}.items():
        (place / f"{name}.png").write_bytes(picture(seed, compress_level=1))
    (place / "notes.txt").write_text("no image")
    return place


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_store: Path) -> Iterator[httpx.Client]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        model_store=tiny_store,
        model="tiny",
        sample_gallery=False,
    )
    with in_thread(settings) as server:
        metadata = [{"product": p, "stock": n != 1} for n, p in enumerate(PRODUCTS)]
        answer = server.post(
            "/gallery",
            files=[("images", (f"{n}.png", picture(n))) for n in range(len(PRODUCTS))],
            data={
                "ids": json.dumps([f"image-{n}" for n in range(len(PRODUCTS))]),
                "metadata": json.dumps(metadata),
            },
        )
        assert answer.status_code == httpx.codes.CREATED
        yield server


def curl(service: httpx.Client, folder: Path, *options: str) -> bytes:
    *rest, path = options
    url = f"{str(service.base_url).rstrip('/')}{path}"
    done = subprocess.run(
        ["curl", "--fail-with-body", "--silent", "--show-error", *rest, url],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def command(service: httpx.Client, folder: Path, *words: str) -> str:
    """The command's output; names of files are of those in ``folder``."""
    here = [str(folder / word) if (folder / word).is_file() else word for word in words]
    done = run(*here, GEMELLO_URL=str(service.base_url))
    assert done.returncode == 0, done.stderr
    return done.stdout


def steady(answer: Any) -> Any:
    """An answer without what no two of them share; a job's list has no errors, its record has."""
    if is_dataclass(answer) and not isinstance(answer, type):
        return steady(asdict(answer))
    if isinstance(answer, list):
        return [steady(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: steady(value)
        for name, value in answer.items()
        if name not in CHANGING and (name, value) != ("errors", [])
    }


@pytest.mark.parametrize("name", ROWS)
def test_a_call_answers_the_same_three_ways(name: str, service: httpx.Client, folder: Path) -> None:
    row = ROWS[name]
    body = json.loads(curl(service, folder, *row.curl))
    expected = steady(body[row.key] if row.key else body)
    with Client(str(service.base_url)) as client:
        assert steady(row.client(client, folder)) == expected
    if row.command:
        printed = command(service, folder, *row.command, "--json")
        assert steady(json.loads(printed)) == expected


def test_bytes_and_thumbnails_are_the_same_three_ways(
    service: httpx.Client, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Client(str(service.base_url)) as client:
        for path, mine, options in (
            ("image", client.content("image-5"), ()),
            ("thumbnail?size=32", client.thumbnail("image-5", size=32), ("--size", "32")),
        ):
            found = curl(service, folder, f"/gallery/image-5/{path}")
            command(service, folder, "gallery", "image", "image-5", "--out", str(out), *options)
            assert found == mine == out.read_bytes()
    assert found[8:12] == b"WEBP"


def test_images_come_and_go_three_ways(service: httpx.Client, folder: Path, tmp_path: Path) -> None:
    before = service.get("/stats").json()["images"]
    new = [tmp_path / f"{seed}.png" for seed in (101, 102, 103)]
    for seed, path in enumerate(new, start=101):
        path.write_bytes(picture(seed))
    added = json.loads(curl(service, folder, "-F", f"images=@{new[0]}", "/gallery"))
    with Client(str(service.base_url)) as client:
        (item,) = client.add([new[1]])
        command(service, folder, "index", str(new[2]))
        third = next(i.id for i in client.images() if i.filename == new[2].name)
        assert client.stats().images == before + 3
        curl(service, folder, "-X", "DELETE", f"/gallery/{added['items'][0]['id']}")
        client.remove(str(item.id))
        command(service, folder, "gallery", "delete", third)
        assert client.stats().images == before


def test_a_model_is_activated_and_its_job_followed_three_ways(
    service: httpx.Client, folder: Path
) -> None:
    begun = json.loads(curl(service, folder, "-X", "POST", "/models/tiny/1/activate"))
    with Client(str(service.base_url)) as client:
        assert client.wait(begun["id"]).state == "succeeded"
        again = client.activate("tiny", "1")
        assert client.wait(again.id).state == "succeeded"
    ended = json.loads(command(service, folder, "models", "activate", "tiny/1", "--json"))
    assert ended["state"] == "succeeded"
    for job in (begun["id"], again.id, ended["id"]):
        found = json.loads(curl(service, folder, f"/jobs/{job}"))
        shown = json.loads(command(service, folder, "jobs", "show", job, "--json"))
        assert steady(found) == steady(shown)
        assert found["done"] == len(PRODUCTS)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/docs", "/"])
def test_what_machines_and_browsers_ask_for_is_there(
    path: str, service: httpx.Client, folder: Path
) -> None:
    assert curl(service, folder, path)
