"""The application as a whole: whose pages may call it."""

import httpx
from pydantic import SecretStr

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_thread


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
