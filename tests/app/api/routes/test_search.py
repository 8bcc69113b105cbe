"""POST /search over a real port: order, pages, limits, and every way to get it wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.config import Settings
from app.images.prepare import prepare
from app.testing import FakeEncoder
from tests.support.images import picture
from tests.support.serving import in_thread
from tests.support.tiny_model import REACH, publish_tiny


@pytest.fixture(scope="module")
def filled(make_settings: Callable[[], Settings]) -> Iterator[httpx.Client]:
    """Twenty-five images, for tests that only look."""
    with in_thread(make_settings()) as server:
        files = [("images", (f"{i}.png", picture(i))) for i in range(25)]
        assert server.post("/gallery", files=files).status_code == 201
        yield server


def search(server: httpx.Client, data: bytes = picture(3), **options: object) -> httpx.Response:
    return server.post("/search", files={"image": ("q.png", data)}, data=options)


def test_results_ascend_by_the_distance_of_a_naive_loop(filled: httpx.Client) -> None:
    body = search(filled, picture(100), top_k=25).json()
    encoder = FakeEncoder()

    def embed(seed: int) -> np.ndarray:
        return encoder.embed(prepare(picture(seed), 32).pixels[None])[0].astype(np.float64)

    query = embed(100)
    expected = sorted((float(np.linalg.norm(embed(i) - query)), f"{i}.png") for i in range(25))
    assert [r["filename"] for r in body["results"]] == [name for _, name in expected]
    assert [r["distance"] for r in body["results"]] == pytest.approx(
        [distance for distance, _ in expected], abs=1e-5
    )
    assert [r["rank"] for r in body["results"]] == list(range(1, 26))


def test_an_answer_has_every_field(filled: httpx.Client) -> None:
    body = search(filled).json()
    assert (body["total"], body["offset"], body["next_offset"]) == (25, 0, 10)
    query = body["query"]
    assert (query["filename"], query["width"], query["height"]) == ("q.png", 96, 64)
    assert set(body["model"]) == {"name", "version", "id"}
    first = body["results"][0]
    assert (first["filename"], first["rank"]) == ("3.png", 1)
    assert first["distance"] < 0.01
    assert first["score"] == pytest.approx(1, abs=0.02)
    assert body["calibration"] == "model"
    assert first["match"] is True
    assert filled.get(first["image_url"]).content == picture(3)


def test_a_result_is_a_match_within_reach_of_the_models_calibration(filled: httpx.Client) -> None:
    results = search(filled, top_k=25).json()["results"]
    assert [r["match"] for r in results] == [r["distance"] <= REACH for r in results]
    assert [r["match"] for r in results] == [True] + [False] * 24
    nothing = search(filled, picture(113)).json()["results"]
    assert [r["match"] for r in nothing] == [False] * 10, "what is far is shown, too"


def test_a_model_without_calibration_claims_nothing(settings: Settings, tmp_path: Path) -> None:
    publish_tiny(tmp_path / "plain", calibrated=False)
    with in_thread(settings.model_copy(update={"model_store": tmp_path / "plain"})) as server:
        server.post("/gallery", files={"images": ("1.png", picture(1))})
        answer = search(server).json()
    (result,) = answer["results"]
    assert (result["score"], result["match"]) == (None, None)
    assert (answer["match"], answer["calibration"]) == (None, None)


def test_fewer_false_alarms_miss_more_matches(filled: httpx.Client) -> None:
    found = [
        sum(r["match"] for r in search(filled, top_k=25, match_false_alarms=rate).json()["results"])
        for rate in (0.5, 0.05, 1e-9)
    ]
    assert found[0] > found[1] >= found[2]
    assert search(filled, match_false_alarms=0).status_code == 422


def test_labels_calibrate_a_gallery_of_a_hundred_images(settings: Settings) -> None:
    with in_thread(settings) as server:
        for start in range(0, 120, 20):
            files = [("images", (f"{i}.png", picture(i))) for i in range(start, start + 20)]
            labels = json.dumps([f"class {i // 2}" for i in range(start, start + 20)])
            assert server.post("/gallery", files=files, data={"labels": labels}).status_code == 201
            few = start + 20 < 100
            assert search(server).json()["calibration"] == ("model" if few else "gallery")
        pair = [("images", ("1.png", picture(1))), ("images", ("2.png", picture(2)))]
        assert server.post("/compare", files=pair).json()["calibration"] == "gallery"


def test_the_whole_gallery_can_be_paged(filled: httpx.Client) -> None:
    whole = [r["id"] for r in search(filled, top_k=1000).json()["results"]]
    paged, offset = [], 0
    while offset is not None:
        page = search(filled, top_k=4, offset=offset).json()
        paged += [r["id"] for r in page["results"]]
        offset = page["next_offset"]
    assert paged == whole
    assert len(set(paged)) == 25
    beyond = search(filled, offset=99).json()
    assert (beyond["results"], beyond["next_offset"]) == ([], None)


def test_options_may_stand_in_the_url(filled: httpx.Client) -> None:
    answer = filled.post("/search?top_k=2&offset=1", files={"image": picture(3)}).json()
    assert [r["rank"] for r in answer["results"]] == [2, 3]


def test_an_empty_gallery_answers_an_empty_list(server: httpx.Client) -> None:
    answer = search(server)
    assert answer.status_code == 200
    assert (answer.json()["results"], answer.json()["total"]) == ([], 0)


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": "0"},
        {"top_k": "-1"},
        {"top_k": "1001"},
        {"top_k": "nan"},
        {"top_k": str(10**30)},
        {"offset": "-1"},
        {"offset": str(2**63)},
        {"topk": "5"},
    ],
)
def test_an_impossible_option_is_refused(server: httpx.Client, options: dict) -> None:
    answer = search(server, **options)
    assert answer.status_code == 422
    assert answer.json()["code"] == "parameter_invalid"
    assert answer.json()["detail"].startswith(next(iter(options)))


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "image_undecodable"),
        (b"\xff\xd8\xff", 400, "image_undecodable"),
        (picture(1, "JPEG")[:-200], 400, "image_undecodable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "image_type_unsupported"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", 415, "image_type_unsupported"),
    ],
)
def test_what_is_no_image_is_a_clear_problem(
    server: httpx.Client, data: bytes, status: int, code: str
) -> None:
    answer = search(server, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_request_without_an_image_says_so(server: httpx.Client) -> None:
    answer = server.post("/search", data={"top_k": "3"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("image")


def test_sizes_are_limited(settings: Settings) -> None:
    small = settings.model_copy(
        update={"max_image_pixels": 96 * 64 - 1, "max_request_bytes": 300_000}
    )
    with in_thread(small) as server:
        answer = search(server)
        assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")
        answer = search(server, b"x" * 400_000)
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")

        def endless() -> Iterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
            for _ in range(100):
                yield b"x" * 10_000

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = server.post("/search", content=endless(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
        assert server.get("/health").status_code == 200
