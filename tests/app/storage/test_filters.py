"""Filters: their language, and that SQLite finds what a naive evaluator in Python finds."""

import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import ParameterInvalid
from app.storage.facts import facts_of
from app.storage.facts import holds as evaluated
from app.storage.filters import parse_filter
from app.storage.local.filter_sql import positions
from app.storage.local.schema import migrate, put_facts

KEYS = st.sampled_from(["price", "stock", "tags", "shop.city", "label", "none"])
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -2.0, 1e300, 2**53, 2**53 + 1, 2**63, 2**70, -(2**63)]),
)
TEXTS = st.sampled_from(["", "a", "b", "é", "1", "true", "\U0001f600", "\uffff"])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3))
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "price": VALUES,
        "stock": VALUES,
        "tags": VALUES,
        "shop": st.one_of(SCALARS, st.fixed_dictionaries({}, optional={"city": VALUES})),
    },
)
CONDITIONS = st.one_of(
    SCALARS,
    st.fixed_dictionaries({"eq": SCALARS}),
    st.fixed_dictionaries({"ne": SCALARS}),
    st.fixed_dictionaries(
        {}, optional={o: st.one_of(NUMBERS, TEXTS) for o in ("gt", "lte")}
    ).filter(bool),
    st.fixed_dictionaries(
        {}, optional={o: st.one_of(NUMBERS, TEXTS) for o in ("gte", "lt")}
    ).filter(bool),
    st.fixed_dictionaries({"in": st.lists(SCALARS, max_size=3)}),
    st.fixed_dictionaries({"nin": st.lists(SCALARS, max_size=3)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
FILTERS = st.recursive(
    st.dictionaries(KEYS, CONDITIONS, max_size=2),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=5,
)


def values_of(record: dict[str, Any], key: str) -> list[Any]:
    if key == "label":
        found = record["label"]
    elif key == "shop.city":
        shop = record["metadata"].get("shop")
        found = shop.get("city") if isinstance(shop, dict) else None
    else:
        found = record["metadata"].get(key)
    found = found if isinstance(found, list) else [found]
    return [v for v in found if v is not None and not isinstance(v, dict)]


def kind(value: Any) -> str:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def number(value: Any) -> Any:
    """Integers of more than 64 bits are compared as floats."""
    return (
        float(value)
        if kind(value) == "number" and abs(value) >= 2**63 and value != -(2**63)
        else value
    )


def holds(wanted: dict[str, Any], record: dict[str, Any]) -> bool:
    """The documented meaning, a line for each operator."""
    return all(holds_part(key, value, record) for key, value in wanted.items())


def holds_part(key: str, value: Any, record: dict[str, Any]) -> bool:
    if key == "and":
        return all(holds(part, record) for part in value)
    if key == "or":
        return any(holds(part, record) for part in value)
    if key == "not":
        return not holds(value, record)
    conditions = value if isinstance(value, dict) else {"eq": value}
    return all(condition(o, v, values_of(record, key)) for o, v in conditions.items())


def condition(operator: str, wanted: Any, found: list[Any]) -> bool:
    def equal(value: Any) -> bool:
        if value is None:
            return not found
        return any(kind(v) == kind(value) and number(v) == number(value) for v in found)

    def ordered(v: Any) -> bool:
        if kind(v) != kind(wanted):
            return False
        a, b = number(v), number(wanted)
        return {"lt": a < b, "lte": a <= b, "gt": a > b, "gte": a >= b}[operator]

    match operator:
        case "eq":
            return equal(wanted)
        case "ne":
            return not equal(wanted)
        case "in":
            return any(map(equal, wanted))
        case "nin":
            return not any(map(equal, wanted))
        case "exists":
            return bool(found) == wanted
    return any(map(ordered, found))


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    """The real tables."""
    opened = sqlite3.connect(":memory:")
    migrate(opened, 0)
    yield opened
    opened.close()


def store(db: sqlite3.Connection, records: list[dict[str, Any]]) -> None:
    db.execute("DELETE FROM facts")
    db.execute("DELETE FROM images")
    for position, record in enumerate(records):
        db.execute(
            "INSERT INTO images VALUES (?, ?, '', ?, ?, ?, 1, 1, '', 1, '', 0)",
            (
                position,
                str(position),
                record.get("filename"),
                record.get("label"),
                json.dumps(record["metadata"]),
            ),
        )
        put_facts(db, position)


def found(db: sqlite3.Connection, wanted: dict[str, Any]) -> set[int]:
    sql, values = positions(parse_filter(json.dumps(wanted)))
    return {row[0] for row in db.execute(sql, values)}


RECORDS = st.fixed_dictionaries({"label": st.one_of(st.none(), TEXTS), "metadata": METADATA})


@settings(max_examples=500, deadline=None)
@given(records=st.lists(RECORDS, max_size=6), wanted=FILTERS)
def test_sqlite_and_the_evaluator_find_what_a_naive_reading_finds(
    db: sqlite3.Connection, records: list[dict[str, Any]], wanted: dict[str, Any]
) -> None:
    store(db, records)
    expected = {i for i, record in enumerate(records) if holds(wanted, record)}
    assert found(db, wanted) == expected
    where = parse_filter(json.dumps(wanted))
    facts = [list(facts_of(record["label"], None, record["metadata"])) for record in records]
    assert {i for i, each in enumerate(facts) if evaluated(where, each)} == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, {0, 1, 2}),
        ({"stock": True}, {0}),
        ({"stock": 1}, {2}),
        ({"price": {"gte": 5, "lt": 9}}, {0}),
        ({"price": 5.0}, {0}),
        ({"price": {"gte": "5"}}, {1}),
        ({"colour": {"in": ["red", "blue"]}}, {0, 1}),
        ({"tags": "a"}, {0}),
        ({"tags": {"nin": ["a"]}}, {1, 2}),
        ({"shop.city": "Rome"}, {1}),
        ({"label": "shoe", "filename": "a.png"}, {0}),
        ({"or": [{"colour": "red"}, {"price": 9}]}, {0, 2}),
        ({"not": {"price": {"exists": True}}}, set()),
        ({"colour": None}, {2}),
        ({"colour": {"ne": None}}, {0, 1}),
    ],
)
def test_a_filter_means_what_the_documentation_says(
    db: sqlite3.Connection, wanted: dict[str, Any], expected: set[int]
) -> None:
    shoe = {"stock": True, "price": 5, "colour": "red", "tags": ["a", "b"]}
    hat = {"stock": False, "price": "5", "colour": "blue", "shop": {"city": "Rome"}}
    store(
        db,
        [
            {"label": "shoe", "filename": "a.png", "metadata": shoe},
            {"label": "hat", "filename": "b.png", "metadata": hat},
            {"label": None, "metadata": {"stock": 1, "price": 9, "colour": None}},
        ],
    )
    assert found(db, wanted) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a JSON object"),
        ("{", "expected a JSON object"),
        ("[]", "filter must be an object"),
        ('{"a": NaN}', "expected a JSON object"),
        ('{"a": {"above": 5}}', "filter.a.above is not an operator; expected one of eq, ne"),
        ('{"a": {}}', "names no operator"),
        ('{"a": [1]}', "must be one value; use 'in' for several"),
        ('{"a": {"in": 1}}', "filter.a.in must be a list"),
        ('{"a": {"lt": true}}', "filter.a.lt must be a number or text"),
        ('{"a": {"lt": null}}', "filter.a.lt must be a number or text"),
        ('{"a": {"eq": {"b": 1}}}', "must be text, a number, true, false or null"),
        ('{"a": {"exists": 1}}', "must be true or false"),
        ('{"and": {"a": 1}}', "filter.and must be a list of filters"),
        ('{"or": [1]}', "filter.or[0] must be an object"),
        ('{"not": [{"a": 1}]}', "filter.not must be an object"),
        ('{"a": "\\ud800"}', "not valid Unicode"),
        ('{"\\ud800": 1}', "not valid Unicode"),
        ('{"not": ' * 9 + "{}" + "}" * 9, "at most 8 levels"),
        ("[" * 100_000, "at most 16,384 bytes"),
        ("[" * 10_000, "expected a JSON object"),
        ('{"a": {"in": [' + "1," * 1000 + "1]}}", "at most 1000 values"),
        (json.dumps({"or": [{"a": 1}] * 501}), "at most 200 objects and conditions"),
        (json.dumps({"and": [{}] * 501}), "at most 200 objects and conditions"),
        ('{"a": 1' + "0" * 400 + "}", "a number that is too large"),
        ('{"\\ud800": {}}', "not valid Unicode"),
        ('{"\\ud800": {"gt": 1}}', "not valid Unicode"),
    ],
)
def test_what_is_not_a_filter_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(ParameterInvalid, match=re.escape(reason)):
        parse_filter(text)
