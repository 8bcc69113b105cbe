"""An answer is read field by field: what is missing or of another type is said, with its place."""

from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pytest

from gemello.client.decoding import decode
from gemello.client.results import Health, Result, SearchAnswer


@dataclass(frozen=True)
class Part:
    number: float


@dataclass(frozen=True)
class Whole:
    text: str
    count: int
    parts: list[Part]
    by_name: dict[str, int]
    anything: dict[str, Any]
    kind: Literal["a", "b"]
    scalar: str | int | float | bool | None
    part: Part | None = None
    yes: bool = False


GOOD: dict[str, Any] = {
    "text": "t",
    "count": 1,
    "parts": [{"number": 1}, {"number": 0.5}],
    "by_name": {"x": 2},
    "anything": {"y": [None, {}]},
    "kind": "a",
    "scalar": True,
}


def test_every_kind_of_field() -> None:
    whole = decode(Whole, {**GOOD, "part": {"number": 2}, "yes": True, "new in 0.9": []})
    assert whole == Whole(
        "t", 1, [Part(1.0), Part(0.5)], {"x": 2}, {"y": [None, {}]}, "a", True, Part(2.0), True
    )
    assert isinstance(whole.parts[0].number, float), "1 is a number, too"
    assert decode(Whole, GOOD).part is None


@pytest.mark.parametrize("scalar", ["a", 1, 1.5, True, None])
def test_a_scalar_stays_what_it_is(scalar: object) -> None:
    decoded = decode(Whole, {**GOOD, "scalar": scalar}).scalar
    assert (decoded, type(decoded)) == (scalar, type(scalar))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("text", 1, "text is an integer, not a string"),
        ("text", None, "text is null, not a string"),
        ("count", True, "count is a boolean, not an integer"),
        ("count", 1.0, "count is a number, not an integer"),
        ("count", "1", "count is '1', not an integer"),
        ("parts", {}, "parts is an object, not a list"),
        ("parts", [{"number": 1}, {"number": "far"}], r"parts\[1\].number is 'far', not a number"),
        ("parts", [{}], r"parts\[0\].number is missing"),
        ("parts", [[]], r"parts\[0\] is a list, not an object"),
        ("by_name", {"x": "2"}, "by_name.x is '2', not an integer"),
        ("anything", [], "anything is a list, not an object"),
        ("kind", "c", "kind is 'c', not one of 'a', 'b'"),
        ("kind", 1, "kind is an integer, not one of"),
        ("kind", [], "kind is a list, not one of"),
        ("scalar", [], "scalar is a list, not a string or an integer or a number or a boolean"),
        ("part", {"number": None}, "part.number is null, not a number"),
        ("yes", 1, "yes is an integer, not a boolean"),
    ],
)
def test_another_type_is_said_with_its_place(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(Whole, {**GOOD, field: value})


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_what_is_not_an_object_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"the answer is .*, not an object"):
        decode(Whole, value)


@pytest.mark.parametrize("field", ["text", "count", "parts", "kind", "scalar"])
def test_a_field_without_a_default_must_be_there(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is missing"):
        decode(Whole, {name: value for name, value in GOOD.items() if name != field})


def test_a_real_answer_survives_the_journey() -> None:
    model = {"name": "m", "version": "1", "id": "i"}
    health = {
        "status": "ok",
        "version": "9",
        "uptime_s": 1,
        "gallery": {"images": 1, "damaged": 0, "x": 2},
        "model": {**model, "dimension": 4, "runtime": "r", "y": []},
        "new": {},
    }
    assert decode(Health, health).gallery.images == 1
    result = dict.fromkeys(Result.__dataclass_fields__) | {
        "id": "a",
        "metadata": {"price": 5},
        "width": 1,
        "height": 1,
        "media_type": "image/png",
        "bytes": 10,
        "created_at": "2026",
        "image_url": "/i",
        "thumbnail_url": "/t",
        "rank": 1,
        "distance": 0.5,
        "group": 7,
    }
    query = {"filename": "q.png", "width": 1, "height": 1, "id": None, "embedding": [0.5]}
    answer = {
        "query": query,
        "results": [result],
        "match": None,
        "calibration": "model",
        "total": 1,
        "offset": 0,
        "next_offset": None,
        "model": model,
        "took_ms": 2.5,
    }
    decoded = decode(SearchAnswer, deepcopy(answer))
    assert asdict(decoded) == answer
