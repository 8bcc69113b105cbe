"""What the framework and the system refuse is a problem like all others."""

import errno
import json
import tempfile
from typing import Any

import httpx
import pytest

from tests.support.images import picture


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/gallery", "DELETE, GET, POST"),
        ("POST", "/gallery/a", "DELETE, GET, PATCH"),
        ("GET", "/search", "POST"),
        ("DELETE", "/static/main.js", "GET, HEAD"),
    ],
)
def test_hardening_32_a_405_names_all_methods_of_the_path(
    server: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = server.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("filter_", ['{"\\ud800": {}}', '{"a": 1' + "0" * 400 + "}"])
def test_hardening_a_filter_that_nothing_can_hold_is_refused(
    server: httpx.Client, filter_: str
) -> None:
    for method, path in (("GET", "/gallery"), ("DELETE", "/gallery")):
        answer = server.request(method, path, params={"filter": filter_})
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")


def test_hardening_metadata_that_nothing_can_hold_is_refused(server: httpx.Client) -> None:
    server.post("/gallery", files={"images": picture(1)}, data={"ids": '["a"]'})
    for value in ("1" + "0" * 400, "-1" + "0" * 400, '[{"b": 1' + "0" * 400 + "}]", '"\\ud800"'):
        body = f'{{"metadata": {{"a": {value}}}}}'
        patched = server.patch(
            "/gallery/a", content=body, headers={"Content-Type": "application/json"}
        )
        added = server.post(
            "/gallery", files={"images": picture(2)}, data={"metadata": f'[{{"a": {value}}}]'}
        )
        for answer in (patched, added):
            assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid"), value
    assert server.get("/gallery/a").json()["metadata"] == {}


def test_a_problem_may_quote_half_a_character(server: httpx.Client) -> None:
    answer = server.get("/gallery", params={"filter": '{"a": {"\\ud800": 1}}'})
    assert answer.status_code == 422
    assert (
        "\\ud800" in json.loads(answer.content)["detail"].encode(errors="backslashreplace").decode()
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errno.ENOSPC, 507, "storage_full"),
        (errno.EDQUOT, 507, "storage_full"),
        (errno.EIO, 503, "storage_unavailable"),
        (errno.EROFS, 503, "storage_unavailable"),
        (errno.EMFILE, 429, "overloaded"),
    ],
)
def test_hardening_35_a_temporary_folder_without_room_is_said(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch, error: int, status: int, code: str
) -> None:
    def rollover(*_: Any) -> None:
        raise OSError(error, "no")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    answer = server.post("/search", files={"image": b"x" * 3_000_000})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    monkeypatch.undo()
    server.post("/gallery", files={"images": picture(1)})
    assert server.post("/search", files={"image": picture(1)}).status_code == 200


def test_of_many_wrong_parameters_some_are_named(server: httpx.Client) -> None:
    answer = server.get("/gallery", params={f"p{number}": "x" for number in range(500)})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20


def test_a_query_without_measure_is_refused(server: httpx.Client) -> None:
    answer = server.get("/gallery?" + "&".join(f"parameter{number}" for number in range(4_200)))
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


def test_hardening_29_a_range_of_ten_thousand_parts_is_bounded(server: httpx.Client) -> None:
    ranges = "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 20_000, 2))
    answer = server.get("/static/main.js", headers={"Range": ranges})
    assert answer.status_code in (200, 206, 400, 416, 431)
    assert len(answer.content) < 10_000_000
