"""Pages of other origins in a real browser: they can neither read nor change a gallery on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.config import Settings
from tests.browser.test_page import FLAGS, chromium
from tests.support.images import picture
from tests.support.serving import in_thread

EVIL = "evil.example"


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>evil</title>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def page_elsewhere() -> Iterator[int]:
    """Serve an empty page; yields its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for which a name of somebody else points to this machine."""
    with sync_playwright() as playwright:
        rules = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
        # The browser's own guard is off: what is tried must reach the service.
        off = "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessChecks"
        yield playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, rules, off])


@pytest.fixture
def evil(browser: Browser) -> Iterator[Page]:
    """A page of another origin."""
    page = browser.new_page()
    with page_elsewhere() as port:
        page.goto(f"http://{EVIL}:{port}/")
        yield page
        page.close()


TRY = """async ([url, init]) => {
  try {
    const answer = await fetch(url, init);
    return answer.type === "opaque" ? "sent, unread" : `${answer.status} ${await answer.text()}`;
  } catch (error) { return "kept from it"; }
}"""


def stored(server: httpx.Client) -> int:
    total: int = server.get("/gallery").json()["total"]
    return total


def form(url: str, path: str) -> str:
    return f"""() => {{
      const form = document.createElement("form");
      form.method = "post"; form.enctype = "multipart/form-data"; form.action = "{url}{path}";
      document.body.append(form); form.submit();
    }}"""


def test_a_page_elsewhere_reads_and_changes_nothing(server: httpx.Client, evil: Page) -> None:
    server.post("/gallery", files={"images": picture(1)})
    url = str(server.base_url)
    for path in ("/gallery", "/health", "/metrics"):
        assert evil.evaluate(TRY, [url + path, {}]) == "kept from it"
        assert evil.evaluate(TRY, [url + path, {"mode": "no-cors"}]) != "200"
    simple = {"method": "POST", "mode": "no-cors", "body": "x"}
    with evil.expect_response(lambda answer: answer.url.startswith(url)) as refused:
        evil.evaluate(TRY, [f"{url}/models/tiny/1/activate", simple])
    assert refused.value.status == 403
    assert server.get("/jobs").json()["jobs"] == []
    evil.evaluate(TRY, [f"{url}/gallery?filter={{}}", {"method": "DELETE"}])
    assert stored(server) == 1
    with evil.expect_navigation() as navigated:
        evil.evaluate(form(url, "/models/tiny/1/activate"))
    assert navigated.value.status == 403


def shows_an_image(page: Page, server: httpx.Client) -> bool:
    server.post("/gallery", files={"images": picture(1)})
    url = f"{server.base_url}{server.get('/gallery').json()['images'][0]['image_url']}"
    shown: bool = page.evaluate(
        """(url) => new Promise((resolve) => {
          const image = new Image();
          image.onload = () => resolve(true); image.onerror = () => resolve(false);
          image.src = url;
        })""",
        url,
    )
    return shown


def test_a_page_elsewhere_shows_a_stored_image_only_where_pages_are_named(
    settings: Settings, evil: Page
) -> None:
    for named, shown in (("", False), ("https://shop.example", True)):
        with in_thread(settings.model_copy(update={"cors_origins": named})) as server:
            assert shows_an_image(evil, server) is shown


def test_a_page_elsewhere_frames_nothing(server: httpx.Client, evil: Page) -> None:
    url = str(server.base_url)
    evil.set_content(f'<iframe src="{url}/"></iframe>')
    frame = evil.frames[1]
    frame.wait_for_load_state()
    assert frame.locator("#query").count() == 0


def test_a_name_that_points_here_reads_and_changes_nothing(
    server: httpx.Client, browser: Browser
) -> None:
    server.post("/gallery", files={"images": picture(1)})
    page = browser.new_page()
    url = f"http://{EVIL}:{server.base_url.port}"
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == 421
    # The page's own origin now, as far as the browser knows.
    for path, init in (
        ("/gallery", {}),
        ("/gallery?filter={}", {"method": "DELETE"}),
        ("/models/tiny/1/activate", {"method": "POST"}),
    ):
        assert page.evaluate(TRY, [url + path, init]).startswith("421 ")
    page.close()
    assert stored(server) == 1


def test_the_api_is_shown_without_anything_from_elsewhere(
    server: httpx.Client, browser: Browser
) -> None:
    page = browser.new_page()
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: broken.append(message.text))
    page.goto(f"{server.base_url}/docs")
    expect(page.locator("#status")).to_contain_text("The API of version")
    page.locator("summary", has_text="Find the images most like one").first.click()
    expect(page.locator("details[open] td", has_text="top_k").first).to_be_visible()
    page.close()
    assert all(url.startswith(str(server.base_url)) for url in asked)
    assert broken == []
