"""Who may do what: a key on every call, one for reading and one for writing."""

import json
import re
from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.serving import in_thread

READ, WRITE = "read-key", "write-key"
"""Those of ``guarded``."""
GOLDEN = ROOT / "docs" / "openapi.json"
OPEN = {"/health", "/health/live", "/health/ready"}
READING = {"/search", "/search/batch", "/embed", "/compare"}
OPERATIONS = [
    (path, method.upper())
    for path, methods in json.loads(GOLDEN.read_text())["paths"].items()
    for method in methods
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def api_key(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


Call = Callable[[httpx.Client, dict[str, str]], httpx.Response]
READS: list[Call] = [
    lambda c, h: c.get("/gallery", headers=h),
    lambda c, h: c.get("/metrics", headers=h),
    lambda c, h: c.get("/gallery/none", headers=h),
    lambda c, h: c.post("/search", files={"image": picture(1)}, headers=h),
]
WRITES: list[Call] = [
    lambda c, h: c.post("/gallery", files={"images": picture(1)}, headers=h),
    lambda c, h: c.delete("/gallery/none", headers=h),
]


@pytest.mark.parametrize("call", READS + WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        api_key("wrong"),
        api_key(""),
        api_key(READ + "x"),
        api_key("\xe9"),
        bearer("wrong"),
        {"Authorization": f"Basic {READ}"},
        {"Authorization": READ},
    ],
)
def test_without_a_valid_key_nothing_is_answered(
    guarded: httpx.Client, call: Call, headers: dict[str, str]
) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = call(guarded, encoded)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "headers", [api_key(READ), bearer(READ), {"Authorization": "bearer " + READ}]
)
def test_the_read_key_reads_and_does_not_write(
    guarded: httpx.Client, headers: dict[str, str]
) -> None:
    for call in READS:
        assert call(guarded, headers).status_code in (200, 404)
    for call in WRITES:
        answer = call(guarded, headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "key_may_not_write")


@pytest.mark.parametrize("headers", [api_key(WRITE), bearer(WRITE)])
def test_the_write_key_does_both(guarded: httpx.Client, headers: dict[str, str]) -> None:
    assert [call(guarded, headers).status_code for call in READS] == [200, 200, 404, 200]
    assert [call(guarded, headers).status_code for call in WRITES] == [201, 404]


def test_pages_and_health_need_no_key(guarded: httpx.Client) -> None:
    for path in ("/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready"):
        assert guarded.get(path).status_code == 200, path
    assert guarded.get("/static/main.js").status_code == 200
    assert guarded.get("/static/../gallery").status_code == 401


def test_a_write_key_alone_leaves_reading_open(settings: Settings) -> None:
    with in_thread(settings.model_copy(update={"write_key": SecretStr(WRITE)})) as server:
        for headers in ({}, api_key("wrong"), api_key(WRITE)):
            assert [call(server, headers).status_code for call in READS] == [200, 200, 404, 200]
        for headers in ({}, api_key("wrong")):
            assert [call(server, headers).status_code for call in WRITES] == [401, 401]
        assert WRITES[0](server, api_key(WRITE)).status_code == 201


def status(server: httpx.Client, path: str, method: str, **headers: str) -> int:
    place = re.sub(r"\{[^}]*\}", "none", path)
    return server.request(method, place, headers=headers).status_code


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_call_asks_for_the_key_that_it_needs(
    guarded: httpx.Client, path: str, method: str
) -> None:
    refused = {401, 403}
    if path in OPEN:
        assert status(guarded, path, method) == 200
        return
    assert status(guarded, path, method) == 401
    assert status(guarded, path, method, **{"X-API-Key": "wrong"}) == 401
    assert status(guarded, path, method, Authorization=f"Bearer {WRITE}") not in refused
    reads = method == "GET" or path in READING
    with_read_key = status(guarded, path, method, **{"X-API-Key": READ})
    assert (with_read_key not in refused) if reads else (with_read_key == 403)


def test_guesses_are_slowed_down_and_whoever_has_a_key_is_served_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.guesses._SHORTEST_S", 60.0)
    keys = {"read_key": SecretStr(READ), "write_key": SecretStr(WRITE)}
    with in_thread(settings.model_copy(update=keys)) as server:
        assert server.get("/gallery", headers=api_key(READ)).status_code == 200
        guesses = [server.get("/gallery", headers=api_key(f"guess {n}")) for n in range(12)]
        assert [answer.status_code for answer in guesses] == [401] * 10 + [429] * 2
        assert guesses[-1].json()["code"] == "too_many_wrong_keys"
        assert int(guesses[-1].headers["retry-after"]) >= 1
        assert server.get("/gallery", headers=api_key(WRITE)).status_code == 429, (
            "not even looked at"
        )
        assert server.get("/gallery", headers=api_key(READ)).status_code == 200
        assert server.get("/gallery").status_code == 401
