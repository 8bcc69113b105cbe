"""Who may do what: keys on every call, and pages of other addresses."""

import json
import re
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.serving import in_thread

GOLDEN = ROOT / "docs" / "openapi.json"
OPEN = {"/health", "/health/live", "/health/ready"}
READING = {"/search", "/search/batch", "/embed", "/compare"}
OPERATIONS = [
    (path, method.upper())
    for path, methods in json.loads(GOLDEN.read_text())["paths"].items()
    for method in methods
]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, tiny_store: Path) -> object:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("locked"),
        model_store=tiny_store,
        model="tiny",
        sample_gallery=False,
        read_key=SecretStr("reader"),
        write_key=SecretStr("writer"),
    )
    with in_thread(settings) as client:
        yield client


def status(server: httpx.Client, path: str, method: str, **headers: str) -> int:
    place = re.sub(r"\{[^}]*\}", "none", path)
    return server.request(method, place, headers=headers).status_code


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_call_asks_for_the_key_that_it_needs(
    locked: httpx.Client, path: str, method: str
) -> None:
    refused = {401, 403}
    if path in OPEN:
        assert status(locked, path, method) == 200
        return
    assert status(locked, path, method) == 401
    assert status(locked, path, method, **{"X-API-Key": "wrong"}) == 401
    assert status(locked, path, method, Authorization="Bearer writer") not in refused
    reads = method == "GET" or path in READING
    with_read_key = status(locked, path, method, **{"X-API-Key": "reader"})
    assert (with_read_key not in refused) if reads else (with_read_key == 403)


def preflight(server: httpx.Client, origin: str) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return server.options("/search", headers=asked)


def test_pages_of_other_addresses_are_kept_out_unless_a_setting_names_them(
    settings: Settings,
) -> None:
    with in_thread(settings) as server:
        answer = preflight(server, "https://shop.example")
        assert "access-control-allow-origin" not in answer.headers
    named = settings.model_copy(
        update={
            "cors_origins": "https://shop.example, https://other.example",
            "read_key": SecretStr("reader"),
            "write_key": SecretStr("writer"),
        }
    )
    with in_thread(named) as server:
        answer = preflight(server, "https://shop.example")
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert (
            "access-control-allow-origin" not in preflight(server, "https://evil.example").headers
        )
        headers = {"Origin": "https://shop.example", "X-API-Key": "reader"}
        found = server.post("/search", files={"image": picture(1)}, headers=headers)
        assert found.status_code == 200
        assert found.headers["access-control-allow-origin"] == "https://shop.example"
        refused = server.post("/search", headers={"Origin": "https://shop.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://shop.example"
