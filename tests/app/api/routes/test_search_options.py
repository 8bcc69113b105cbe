"""Every option of a search, over a real port."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_thread
from tests.support.tiny_model import publish_tiny

IMAGES = 20


@pytest.fixture(scope="module")
def filled(make_settings: Callable[[], Settings]) -> Iterator[httpx.Client]:
    """Twenty images: five products of four pictures each, the last product alone in stock."""
    files = [("images", (f"{i}.png", picture(i))) for i in range(IMAGES)]
    metadata = [{"product": i // 4, "stock": i >= 16, "price": i} for i in range(IMAGES)]
    data = {
        "ids": json.dumps([f"id{i:02}" for i in range(IMAGES)]),
        "labels": json.dumps([f"product {i // 4}" for i in range(IMAGES)]),
        "metadata": json.dumps(metadata),
    }
    with in_thread(make_settings()) as server:
        assert server.post("/gallery", files=files, data=data).status_code == 201
        yield server


def search(server: httpx.Client, *images: bytes, **options: Any) -> dict[str, Any]:
    files = [("image", ("q.png", data)) for data in images]
    answer = server.post("/search", files=files or None, data=options)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def ids(body: dict[str, Any]) -> list[str]:
    return [result["id"] for result in body["results"]]


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def opened(seed: int) -> Image.Image:
    return Image.open(io.BytesIO(picture(seed))).convert("RGB")


def test_a_filter_is_applied_before_the_nearest_are_taken(filled: httpx.Client) -> None:
    body = search(filled, picture(0), filter='{"stock": true}', top_k=4)
    assert sorted(ids(body)) == ["id16", "id17", "id18", "id19"]
    assert (body["total"], body["next_offset"]) == (4, None)
    paged = search(filled, picture(0), filter='{"stock": true}', top_k=3)
    assert (ids(paged), paged["next_offset"]) == (ids(body)[:3], 3)
    labelled = search(filled, picture(0), filter='{"label": "product 1", "price": {"lt": 6}}')
    assert sorted(ids(labelled)) == ["id04", "id05"]
    assert ids(search(filled, picture(0), filter='{"product": 77}')) == []


def test_groups_give_one_row_each_and_can_be_paged(filled: httpx.Client) -> None:
    body = search(filled, picture(9), group_by="product", top_k=10)
    assert sorted(result["group"] for result in body["results"]) == [0, 1, 2, 3, 4]
    assert ids(body)[0] == "id09"
    first = search(filled, picture(9), group_by="product", top_k=2)
    second = search(filled, picture(9), group_by="product", top_k=3, offset=2)
    assert ids(first) + ids(second) == ids(body)
    assert (first["next_offset"], second["next_offset"]) == (2, None)
    by_label = search(filled, picture(9), group_by="label", filter='{"stock": true}')
    assert [result["group"] for result in by_label["results"]] == ["product 4"]
    assert len(ids(search(filled, picture(9), group_by="nothing", top_k=20))) == IMAGES


def test_what_is_too_far_is_left_out_and_no_match_is_said_plainly(filled: httpx.Client) -> None:
    whole = search(filled, picture(3), top_k=IMAGES)
    limit = whole["results"][4]["distance"]
    near = search(filled, picture(3), max_distance=limit)
    assert ids(near) == ids(whole)[:5]
    assert near["next_offset"] is None
    scores = [result["score"] for result in whole["results"]]
    likely = search(filled, picture(3), min_score=scores[2])
    assert ids(likely) == ids(whole)[:3]
    assert whole["match"] is True
    assert search(filled, picture(3), offset=5)["match"] is True, "of the ranking, not of the page"
    nothing = search(filled, picture(113), min_score=0.99)
    assert (nothing["results"], nothing["match"], nothing["total"]) == ([], False, IMAGES)


def test_a_score_needs_a_calibration(settings: Settings, tmp_path: Any) -> None:
    publish_tiny(tmp_path / "plain", calibrated=False)
    with in_thread(settings.model_copy(update={"model_store": tmp_path / "plain"})) as server:
        answer = server.post("/search?min_score=0.5", files={"image": picture(1)})
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
        assert "no calibration" in answer.json()["detail"]
        assert search(server, picture(1))["match"] is None


def test_a_box_looks_at_a_part_as_if_it_had_been_cut_out(filled: httpx.Client) -> None:
    scene = Image.new("RGB", (192, 128), "black")
    scene.paste(opened(7), (96, 64))
    body = search(filled, png(scene), box="0.5,0.5,1,1")
    assert ids(body)[0] == "id07"
    assert body["results"][0]["distance"] < 1e-3
    assert (body["query"]["width"], body["query"]["height"]) == (192, 128)
    assert search(filled, png(scene))["results"][0]["distance"] > 0.1


@pytest.mark.parametrize(
    "box",
    ["", "1", "0,0,1", "a,b,c,d", "0,0,0,1", "0.5,0,0.4,1", "-1,0,1,1", "0,0,1,nan", "0,0,2,1"],
)
def test_an_impossible_box_is_refused(filled: httpx.Client, box: str) -> None:
    answer = filled.post(f"/search?box={box}", files={"image": picture(1)})
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
    assert answer.json()["detail"].startswith("box")


def test_mirror_images_are_found_where_they_are_wanted(filled: httpx.Client) -> None:
    mirrored = png(opened(5).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert search(filled, mirrored)["results"][0]["distance"] > 0.05
    body = search(filled, mirrored, flip="true")
    assert ids(body)[0] == "id05"
    assert body["results"][0]["distance"] < 1e-3


def test_a_stored_image_can_be_searched_like_and_is_itself_left_out(filled: httpx.Client) -> None:
    by_bytes = search(filled, picture(4), top_k=IMAGES)
    by_id = search(filled, id="id04", top_k=IMAGES)
    assert ids(by_bytes)[0] == "id04"
    assert ids(by_id) == ids(by_bytes)[1:]
    assert (by_id["query"]["id"], by_id["query"]["width"]) == ("id04", 96)
    similar = filled.get("/gallery/id04/similar", params={"top_k": IMAGES}).json()
    assert similar["results"] == by_id["results"]
    assert similar["query"]["filename"] == "4.png"
    part = search(filled, id="id04", box="0,0,0.5,1")
    assert ids(part) != ids(by_id)[:10] or part["results"][0]["distance"] > 0
    for path in ("/gallery/none/similar", "/search?x=1"):
        answer = (
            filled.get(path) if "similar" in path else filled.post("/search", data={"id": "none"})
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")


def test_several_images_are_combined(filled: httpx.Client) -> None:
    best = search(filled, picture(2), picture(11), top_k=IMAGES)
    singles = [search(filled, picture(i), top_k=IMAGES)["results"] for i in (2, 11)]
    distances = [{r["id"]: r["distance"] for r in rows} for rows in singles]
    for result in best["results"]:
        assert result["distance"] == min(each[result["id"]] for each in distances)
    assert set(ids(best)[:2]) == {"id02", "id11"}
    mean = search(filled, picture(2), picture(11), combine="mean", include="embedding")
    vectors = [
        search(filled, picture(i), include="embedding")["query"]["embedding"] for i in (2, 11)
    ]
    middle = np.mean(vectors, axis=0)
    middle /= np.linalg.norm(middle)
    first = mean["results"][0]
    assert first["distance"] == pytest.approx(np.linalg.norm(middle - first["embedding"]), abs=1e-5)
    mixed = search(filled, picture(2), id="id11", top_k=IMAGES)
    assert "id11" not in ids(mixed)


def test_what_is_nearer_to_an_unlike_image_is_left_out(filled: httpx.Client) -> None:
    whole = search(filled, picture(2), top_k=IMAGES)
    away = {r["id"]: r["distance"] for r in search(filled, picture(11), top_k=IMAGES)["results"]}
    expected = [r["id"] for r in whole["results"] if away[r["id"]] >= r["distance"]]
    files = [("image", ("q.png", picture(2))), ("unlike", ("n.png", picture(11)))]
    body = filled.post("/search", files=files, data={"top_k": IMAGES}).json()
    assert ids(body) == expected
    assert 0 < len(expected) < IMAGES
    by_id = search(filled, picture(2), unlike_id="id11", top_k=IMAGES)
    assert ids(by_id) == expected


def test_embeddings_come_when_they_are_asked_for(filled: httpx.Client) -> None:
    plain = search(filled, picture(1))
    assert plain["query"]["embedding"] is None
    assert plain["results"][0]["embedding"] is None
    body = search(filled, picture(1), include="embedding")
    query, first = body["query"]["embedding"], body["results"][1]
    assert len(query) == 48
    assert np.linalg.norm(np.subtract(query, first["embedding"])) == pytest.approx(
        first["distance"], abs=1e-5
    )


def test_a_batch_answers_each_image_as_a_search_would(filled: httpx.Client) -> None:
    files = [("images", ("a.png", picture(3))), ("images", ("b.png", picture(8)))]
    options = {"top_k": "3", "filter": '{"price": {"lt": 10}}'}
    answer = filled.post("/search/batch", files=files, data=options)
    assert answer.status_code == 200
    items = answer.json()["items"]
    for item, seed in zip(items, (3, 8), strict=True):
        alone = search(filled, picture(seed), **options)
        assert item["answer"]["results"] == alone["results"]
    assert items[1]["answer"]["query"]["filename"] == "b.png"
    mixed = filled.post("/search/batch", files=[*files, ("images", ("c.png", b"text"))])
    assert mixed.status_code == 207
    assert mixed.json()["items"][2]["error"]["code"] == "image_type_unsupported"
    assert mixed.json()["items"][2]["answer"] is None
    nothing = filled.post("/search/batch", files={"images": b"text"})
    assert (nothing.status_code, nothing.json()["code"]) == (415, "image_type_unsupported")


def test_embeddings_of_images_can_be_had(filled: httpx.Client) -> None:
    files = [("images", ("a.png", picture(3))), ("images", ("b.png", b""))]
    answer = filled.post("/embed", files=files)
    assert answer.status_code == 207
    body = answer.json()
    assert body["dimension"] == 48 == len(body["items"][0]["embedding"])
    assert np.linalg.norm(body["items"][0]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert body["items"][1]["embedding"] is None
    assert filled.get("/gallery").json()["total"] == IMAGES, "nothing is stored"


def test_two_images_can_be_compared(filled: httpx.Client) -> None:
    same = filled.post("/compare", files={"images": picture(3)}, data={"id": "id03"}).json()
    assert same["distance"] == pytest.approx(0, abs=1e-4)
    assert (same["match"], same["score"]) == (True, pytest.approx(1, abs=0.01))
    other = filled.post("/compare", data={"id": ["id03", "id09"]}).json()
    listed = {r["id"]: r["distance"] for r in search(filled, id="id03", top_k=IMAGES)["results"]}
    assert other["distance"] == pytest.approx(listed["id09"], abs=1e-6)
    for data in ({}, {"id": "id03"}, {"id": ["id03", "id09", "id10"]}):
        assert filled.post("/compare", data=data).status_code == 422


@pytest.mark.parametrize(
    "options",
    [
        {"filter": "x"},
        {"filter": '{"a": {"above": 1}}'},
        {"max_distance": "-1"},
        {"max_distance": "inf"},
        {"min_score": "1.1"},
        {"min_score": "nan"},
        {"match_false_alarms": "0"},
        {"match_false_alarms": "0.6"},
        {"combine": "worst"},
        {"include": "everything"},
        {"flip": "sideways"},
    ],
)
def test_an_impossible_option_is_refused_by_name(filled: httpx.Client, options: dict) -> None:
    for path in ("/search", "/search/batch"):
        if "combine" in options and path == "/search/batch":
            continue
        name = "image" if path == "/search" else "images"
        answer = filled.post(path, files={name: picture(1)}, data=options)
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
        assert answer.json()["detail"].startswith(next(iter(options)))


def test_too_many_query_images_are_refused(filled: httpx.Client) -> None:
    files = [("image", (f"{i}.png", picture(i))) for i in range(17)]
    answer = filled.post("/search", files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
    assert "at most 16" in answer.json()["detail"]
