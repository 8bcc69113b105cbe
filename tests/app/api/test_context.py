"""A request's id, its headers, and what is counted of it."""

import re

import httpx
import pytest
from structlog.testing import capture_logs


@pytest.mark.parametrize("given", ["abc", "7f3-e_1.2", "x" * 64])
def test_a_callers_id_is_kept(server: httpx.Client, given: str) -> None:
    for path in ("/health", "/gallery", "/gallery/none", "/nowhere"):
        answer = server.get(path, headers={"X-Request-Id": given})
        assert answer.headers["x-request-id"] == given
        assert answer.json().get("request_id", given) == given


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "<script>", "id\u00e9"])
def test_any_other_is_replaced_by_one_of_ours(server: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given.encode("latin-1")}
    answer = server.get("/gallery/none", headers=headers)  # type: ignore[arg-type]
    shown = answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", shown)
    assert answer.json()["request_id"] == shown


def test_ids_differ_and_every_answer_forbids_sniffing(server: httpx.Client) -> None:
    answers = [server.get(path) for path in ("/health", "/health", "/nowhere", "/docs", "/")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}


def test_a_label_is_a_route_never_a_path(fresh_server: httpx.Client) -> None:
    server = fresh_server
    for name in ("one", "two", "three"):
        server.get(f"/gallery/{name}")
        server.get(f"/{name}")
    server.request("BREW", "/gallery")
    text = server.get("/metrics").text
    count = 'gemello_requests_total{method="GET",route="%s",status="404"} 3.0'
    assert count % "/gallery/{image_id}" in text
    assert count % "other" in text
    assert 'method="other"' in text
    assert "BREW" not in text
    assert "three" not in text


def test_hardening_a_line_of_the_log_has_a_bounded_length(server: httpx.Client) -> None:
    with capture_logs() as lines:
        assert server.get(f"/{'x' * 30_000}").status_code == 404
        # The line is written once the answer has been.
        assert server.get("/none").status_code == 404
    paths = [line["path"] for line in lines if line["event"] == "request"]
    assert len(paths[0]) == 500
