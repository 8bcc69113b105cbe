"""Whose pages may use the service: hosts and origins, as browsers send them."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from app.api.origins import is_allowed_host
from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_thread


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST:8000",
        "gemello.localhost:8000",
        "127.0.0.1:8000",
        "127.8.8.8",
        "[::1]:8000",
        "192.168.1.7:8000",
        "images.example:8000",
        "Images.Example.",
        "",
    ],
)
def test_loopback_names_addresses_and_what_the_setting_names_are_allowed(host: str) -> None:
    assert is_allowed_host(host, frozenset({"images.example"}))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "images.example.evil.example",
        "evil-images.example",
        "2130706433",
        "[::1",
        "[evil]",
        "\x00",
    ],
)
def test_every_other_host_is_not(host: str) -> None:
    assert not is_allowed_host(host, frozenset({"images.example"}))


def with_host(server: httpx.Client, host: str) -> tuple[int, str]:
    answer = server.get("/gallery", headers={"Host": host})
    return answer.status_code, answer.json().get("code", "")


def test_a_name_that_points_here_is_refused_unless_a_setting_names_it(settings: Settings) -> None:
    with in_thread(settings) as server:
        assert with_host(server, "evil.example") == (421, "host_not_allowed")
        assert server.get("/health", headers={"Host": "evil.example"}).status_code == 421
        assert with_host(server, f"localhost:{server.base_url.port}") == (200, "")
    named = settings.model_copy(update={"allowed_hosts": "images.example, other.example"})
    with in_thread(named) as server:
        assert with_host(server, "images.example") == (200, "")
        assert with_host(server, "evil.example") == (421, "host_not_allowed")
    with in_thread(settings.model_copy(update={"allowed_hosts": "*"})) as server:
        assert with_host(server, "evil.example") == (200, "")


def test_where_both_keys_are_needed_any_name_will_do(settings: Settings) -> None:
    keys = {"read_key": SecretStr("read"), "write_key": SecretStr("write")}
    with in_thread(settings.model_copy(update=keys)) as server:
        assert with_host(server, "images.example") == (401, "key_missing")


@pytest.fixture(scope="module")
def shop(
    shared_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A server that the pages of https://shop.example may call."""
    changes = {"data_dir": tmp_path_factory.mktemp("shop"), "cors_origins": "https://shop.example"}
    with in_thread(shared_settings.model_copy(update=changes)) as client:
        yield client


def add(server: httpx.Client, headers: dict[str, str]) -> int:
    files = {"images": picture(1)}
    return server.post("/gallery", files=files, headers=headers).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://shop.example", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "nonsense"},
    ],
)
def test_no_page_of_elsewhere_changes_anything(shop: httpx.Client, headers: dict[str, str]) -> None:
    before = shop.get("/gallery").json()["total"]
    assert add(shop, headers) == 403
    for method, path in (
        ("DELETE", "/gallery?filter={}"),
        ("POST", "/search"),
        ("POST", "/models/tiny/1/activate"),
        ("PATCH", "/gallery/none"),
    ):
        answer = shop.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert shop.get("/gallery").json()["total"] == before


def test_own_pages_named_ones_and_what_is_no_browser_do(shop: httpx.Client) -> None:
    own = f"http://{shop.base_url.host}:{shop.base_url.port}"
    for headers in (
        {},
        {"Origin": own},
        {"Origin": own, "Sec-Fetch-Site": "same-origin"},
        # Behind a proxy that gives us another host.
        {"Origin": "https://images.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://shop.example"},
        {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"},
    ):
        assert add(shop, headers) in (200, 201), headers


def test_reading_is_left_to_the_browser(shop: httpx.Client) -> None:
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = shop.get("/gallery", headers=evil)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


def test_no_other_page_embeds_an_answer_unless_pages_are_named(server: httpx.Client) -> None:
    for path in ("/", "/docs", "/gallery", "/nowhere"):
        page = {"Sec-Fetch-Site": "cross-site"}
        assert server.get(path, headers=page | {"Sec-Fetch-Mode": "no-cors"}).status_code == 403
        assert server.get(path, headers={"Origin": "https://evil.example"}).status_code == 403
        followed = server.get(path, headers=page | {"Sec-Fetch-Mode": "navigate"})
        assert followed.status_code in (200, 404)
        headers = server.get(path).headers
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
