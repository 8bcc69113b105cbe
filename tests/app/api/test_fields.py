"""Fields that hold JSON or numbers as text; what the API's own tests send is not repeated here."""

from collections.abc import Callable

import numpy as np
import pytest

from app.api import fields
from app.errors import ParameterInvalid
from app.images.box import Box


def test_a_list_has_an_entry_for_each_image() -> None:
    assert fields.parse_ids('["a", null]', 2) == ["a", None]
    assert fields.parse_labels(None, 2) == [None, None]
    assert fields.parse_metadata('[{"a": 1}, null]', 2) == [{"a": 1}, {}]
    with pytest.raises(ParameterInvalid, match=r"ids: 1 entries for 2 images; send one for each\."):
        fields.parse_ids('["a"]', 2)


def test_vectors_are_float32() -> None:
    vector, missing = fields.parse_embeddings("[[0.6, 0, -8e-1], null]", 2)
    assert missing is None
    assert vector is not None
    assert vector.dtype == np.float32
    assert vector.tolist() == pytest.approx([0.6, 0, -0.8])


@pytest.mark.parametrize(
    "vector",
    [
        "[]",
        "5",
        '"text"',
        '["a"]',
        "[true]",
        "[1e39]",
        "[1" + "0" * 400 + "]",
        "[[1]]",
        "[3e38]",
        "[1e300, 1e300]",
        "[0, 0]",
        "[0.5, 0.5]",
        "[1e400]",
    ],
)
def test_what_is_not_a_vector_of_unit_length_is_refused(vector: str) -> None:
    with pytest.raises(ParameterInvalid, match="embeddings: expected a list of numbers"):
        fields.parse_embeddings(f"[{vector}]", 1)


@pytest.mark.parametrize(
    "parse", [lambda text: fields.parse_ids(text, 1), fields.parse_urls], ids=["ids", "urls"]
)
@pytest.mark.parametrize("text", ["", "{", "{}", "5", "[" * 100_000, "[5]", '["\\u0007"]'])
def test_a_text_that_is_not_such_a_list_is_refused(
    parse: Callable[[str], object], text: str
) -> None:
    with pytest.raises(ParameterInvalid):
        parse(text)


def test_urls_are_texts() -> None:
    assert fields.parse_urls('["http://a", "http://b"]') == ["http://a", "http://b"]
    with pytest.raises(ParameterInvalid, match=r"urls: at most 2000 characters, got 2001\."):
        fields.parse_urls('["' + "x" * 2001 + '"]')


def test_a_box_is_four_numbers() -> None:
    assert fields.parse_box("0.1,0.2,0.8,0.9") == Box(0.1, 0.2, 0.8, 0.9)
    assert fields.parse_box(None) is None
