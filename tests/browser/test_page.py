"""The page in a real browser: search, browse on, add, be told what is wrong, on a phone too."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_thread
from tests.support.tiny_model import publish_tiny

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "these tests need Chromium on the PATH"
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium(), args=FLAGS)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def filled(server: httpx.Client) -> httpx.Client:
    files = [("images", (f"picture{i}.png", picture(i))) for i in range(30)]
    server.post("/gallery", files=files)
    return server


def write(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def test_a_search_shows_the_nearest_first_and_more_on_demand(
    page: Page, filled: httpx.Client, tmp_path: Path
) -> None:
    page.goto(str(filled.base_url))
    expect(page.locator("#status")).to_contain_text("30 images")
    page.set_input_files("#query", write(tmp_path, "q.png", picture(3)))
    first = page.locator(".result").first
    expect(first).to_contain_text("picture3.png")
    expect(first).to_contain_text("distance 0.000")
    expect(first.locator(".score")).to_have_text("match, over 99 %")
    expect(page.locator(".result .score").nth(1)).to_contain_text("no match, ")
    expect(page.locator("#results-title")).to_contain_text("Most alike first, of 30 images")
    expect(page.locator(".result")).to_have_count(24)
    page.click("#more")
    expect(page.locator(".result")).to_have_count(30)
    expect(page.locator("#more")).to_be_hidden()
    page.locator(".result").nth(5).click()
    expect(page.locator(".result").first).to_contain_text("distance 0.000")


def test_whoever_asks_before_the_gallery_is_there_keeps_the_answer(
    page: Page, filled: httpx.Client, tmp_path: Path
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/health", hold)
    page.goto(str(filled.base_url))
    page.set_input_files("#query", write(tmp_path, "q.png", picture(3)))
    expect(page.locator(".result").first).to_contain_text("picture3.png")
    held[0].continue_()
    expect(page.locator("#status")).to_contain_text("30 images")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#results-title")).to_contain_text("Most alike first")
    expect(page.locator(".result").first).to_contain_text("distance 0.000")


def test_no_match_is_said_and_the_nearest_are_shown(
    page: Page, filled: httpx.Client, tmp_path: Path
) -> None:
    page.goto(str(filled.base_url))
    page.set_input_files("#query", write(tmp_path, "q.png", picture(113)))
    expect(page.locator("#results-title")).to_contain_text("No match in 30 images")
    expect(page.locator(".result")).to_have_count(24)
    page.click("#more")
    expect(page.locator(".result")).to_have_count(30)
    expect(page.locator("#results-title")).to_contain_text("No match in 30 images")


def test_a_model_without_calibration_claims_nothing(
    page: Page, settings: Settings, tmp_path: Path
) -> None:
    publish_tiny(tmp_path / "plain", calibrated=False)
    with in_thread(settings.model_copy(update={"model_store": tmp_path / "plain"})) as server:
        server.post("/gallery", files={"images": ("1.png", picture(1))})
        page.goto(str(server.base_url))
        page.set_input_files("#query", write(tmp_path, "q.png", picture(2)))
        expect(page.locator("#results-title")).to_contain_text("Most alike first")
        expect(page.locator(".result .score")).to_have_text("")


def test_what_is_no_image_is_said_and_the_page_goes_on(
    page: Page, filled: httpx.Client, tmp_path: Path
) -> None:
    page.goto(str(filled.base_url))
    page.set_input_files("#query", write(tmp_path, "notes.txt", b"no image"))
    expect(page.locator("#message")).to_contain_text("not an image")
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#hint")).to_be_visible()
    page.set_input_files("#query", write(tmp_path, "q.png", picture(1)))
    expect(page.locator(".result").first).to_contain_text("picture1.png")
    expect(page.locator("#message")).to_be_hidden()


def test_images_are_added_from_the_page(page: Page, server: httpx.Client, tmp_path: Path) -> None:
    page.goto(str(server.base_url))
    expect(page.locator("#results-title")).to_contain_text("empty")
    files = [write(tmp_path, "a.png", picture(1)), write(tmp_path, "b.png", b"no image")]
    page.set_input_files("#add", files)
    expect(page.locator("#added")).to_contain_text("1 of 2 stored; 1 refused. b.png")
    expect(page.locator("#status")).to_contain_text("1 images")


def test_a_key_is_asked_for_once(page: Page, settings: Settings) -> None:
    guarded = Settings(**{**settings.model_dump(), "read_key": "look", "write_key": "write"})
    with in_thread(guarded) as server:
        page.goto(str(server.base_url))
        page.fill("#key", "write")
        page.click("#key-form button")
        expect(page.locator("#results-title")).to_contain_text("empty")
        expect(page.locator("#key-form")).to_be_hidden()


def test_what_was_refused_without_a_key_is_asked_again_with_it(
    page: Page, settings: Settings, tmp_path: Path
) -> None:
    guarded = Settings(**{**settings.model_dump(), "read_key": "look", "write_key": "write"})
    with in_thread(guarded) as server:
        named = {"X-API-Key": "write"}
        files = {"images": ("mine.png", picture(3))}
        server.post("/gallery", files=files, headers=named)
        page.goto(str(server.base_url))
        expect(page.locator("#key-form")).to_be_visible()
        page.set_input_files("#query", write(tmp_path, "q.png", picture(3)))
        page.fill("#key", "look")
        page.click("#key-form button")
        expect(page.locator(".result").first).to_contain_text("distance 0.000")


def test_nothing_overflows_a_phone(page: Page, filled: httpx.Client) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(str(filled.base_url))
    expect(page.locator(".result").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
