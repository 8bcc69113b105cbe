"""The filter language: JSON that says which images may be found.

    {"stock": true, "price": {"gte": 5, "lt": 9}, "colour": {"in": ["red", "blue"]}}

And key of an object must hold. ``and`` and ``or`` take a list of filters, ``not`` takes one. A key
names a metadata key, with dots a key inside an object, or ``label`` or ``filename``. What
is compared has to be of one kind: 1 is 1.0, but neither true nor "1". A list holds what one of its
elements holds; null and what is not there are the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from app.errors import ParameterInvalid

Scalar = str | int | float | bool
Operator = Literal["eq", "ne", "lt", "lte", "gt", "gte", "in", "nin", "exists"]

MAX_DEPTH, MAX_VALUES = 8, 1000
MAX_PARTS = 200
"""Objects and conditions: each may be a look at all images, and SQLite joins no more than 500."""
MAX_FILTER_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class In:
    """One of the key's values is one of ``values``; an empty key's are none."""

    key: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """One of the key's values stands so to ``value``, a number or a text."""

    key: str
    operator: Literal["lt", "lte", "gt", "gte"]
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Exists:
    """The key has a value."""

    key: str


@dataclass(frozen=True, slots=True)
class And:
    """All ``parts`` hold; with none, everything does."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of ``parts`` holds; with none, nothing does."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``part`` does not hold."""

    part: "Filter"


Filter = In | Compare | Exists | And | Or | Not

_ORDERED = {"lt", "lte", "gt", "gte"}
# SQLite's integers have 64 bits; beyond them a number is compared as a float.
_LARGEST = 2**63


def parse_filter(text: str) -> Filter:
    """Parse a filter. Raises ``ParameterInvalid`` with what is wrong and where."""
    if len(text.encode(errors="surrogatepass")) > MAX_FILTER_BYTES:
        raise _refused(f"at most {MAX_FILTER_BYTES:,} bytes are allowed")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise _refused('expected a JSON object like {"price": {"lt": 9}}') from exc
    return _Parser().filter(value, "filter", 0)


class _Parser:
    """Counts parts and values on the way, so that no filter costs more than the limits."""

    def __init__(self) -> None:
        self._parts = self._values = 0

    def filter(self, value: object, where: str, depth: int) -> Filter:
        self._count()
        if depth > MAX_DEPTH:
            raise _refused(f"at most {MAX_DEPTH} levels are allowed")
        parts = [self._part(k, v, where, depth) for k, v in _object(value, where).items()]
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _part(self, key: str, value: object, where: str, depth: int) -> Filter:
        scalar(key, f"a key of {where}")
        inside = f"{where}.{key}"
        if key == "not":
            return Not(self.filter(value, inside, depth + 1))
        if key in ("and", "or"):
            if not isinstance(value, list):
                raise _refused(f"{inside} must be a list of filters")
            parts = tuple(
                self.filter(part, f"{inside}[{i}]", depth + 1) for i, part in enumerate(value)
            )
            return And(parts) if key == "and" else Or(parts)
        if not isinstance(value, dict):
            return self._condition(key, "eq", value, inside)
        parts = tuple(self._condition(key, op, v, f"{inside}.{op}") for op, v in value.items())
        if not parts:
            raise _refused(f"{inside} names no operator, as in {{{key!r}: {{'gte': 5}}}}")
        return parts[0] if len(parts) == 1 else And(parts)

    def _condition(self, key: str, operator: str, value: object, where: str) -> Filter:
        self._count(len(value) if isinstance(value, list) else 1)
        if operator not in get_args(Operator):
            raise _refused(
                f"{where} is not an operator; expected one of {', '.join(get_args(Operator))}"
            )
        if operator == "exists":
            if not isinstance(value, bool):
                raise _refused(f"{where} must be true or false")
            return Exists(key) if value else Not(Exists(key))
        if operator in _ORDERED:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise _refused(f"{where} must be a number or text")
            return Compare(key, cast(Any, operator), cast(Any, scalar(value, where)))
        if operator in ("in", "nin") and not isinstance(value, list):
            raise _refused(f"{where} must be a list")
        if operator in ("eq", "ne") and isinstance(value, list):
            raise _refused(f"{where} must be one value; use 'in' for several")
        equal = self._equal(key, value if isinstance(value, list) else [value], where)
        return equal if operator in ("eq", "in") else Not(equal)

    def _count(self, values: int = 0) -> None:
        self._parts += 1
        self._values += values
        if self._parts > MAX_PARTS:
            raise _refused(f"at most {MAX_PARTS} objects and conditions are allowed")
        if self._values > MAX_VALUES:
            raise _refused(f"at most {MAX_VALUES} values are allowed")

    def _equal(self, key: str, values: list[object], where: str) -> Filter:
        one_of = In(key, tuple(scalar(v, where) for v in values if v is not None))
        if None not in values:
            return one_of
        return Or((one_of, Not(Exists(key)))) if one_of.values else Not(Exists(key))


def scalar(value: object, where: str) -> Scalar:
    """``value`` as it is compared: text, boolean, or a number that SQLite holds."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        # A lone surrogate, which no UTF-8 can hold, can be in no record.
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise _refused(f"{where} contains text that is not valid Unicode")
        return value
    if isinstance(value, int):
        try:
            return value if -_LARGEST <= value < _LARGEST else float(value)
        except OverflowError as exc:
            raise _refused(f"{where} is a number that is too large") from exc
    if isinstance(value, float):
        return value
    raise _refused(f"{where} must be text, a number, true, false or null")


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _refused(f"{where} must be an object")
    return value


def _refused(reason: str) -> ParameterInvalid:
    return ParameterInvalid("filter", reason)


def _no_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
