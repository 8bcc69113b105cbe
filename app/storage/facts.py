"""What a filter can ask an image for, and whether a filter holds for it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from app.storage.filters import And, Compare, Exists, Filter, In, Not, Or, Scalar, scalar

Fact = tuple[str, Scalar]
"""A key that a filter may name, and a value of it."""


def facts_of(
    label: str | None, filename: str | None, metadata: Mapping[str, object]
) -> Iterator[Fact]:
    """And (key, value) that a filter can ask an image for.

    ``label`` and ``filename`` hide metadata of the same name.
    """
    yield from _values("label", label)
    yield from _values("filename", filename)
    for key, value in metadata.items():
        if key not in ("label", "filename"):
            yield from _values(key, value)


def _values(key: str, value: object) -> Iterator[Fact]:
    if isinstance(value, dict):
        for inner, part in value.items():
            yield from _values(f"{key}.{inner}", part)
    elif isinstance(value, list):
        for element in value:
            if not isinstance(element, dict | list):
                yield from _values(key, element)
    elif value is not None:
        yield key, scalar(value, key)


def holds(where: Filter, facts: Sequence[Fact]) -> bool:
    """Return whether a filter holds for an image with these facts."""
    match where:
        case Exists(key):
            return any(name == key for name, _ in facts)
        case In(key, values):
            one_of = {_comparable(value) for value in values}
            return any(name == key and _comparable(value) in one_of for name, value in facts)
        case Compare(key, operator, limit):
            return any(name == key and _compare(value, operator, limit) for name, value in facts)
        case Not(part):
            return not holds(part, facts)
        case And(parts):
            return all(holds(part, facts) for part in parts)
        case Or(parts):
            return any(holds(part, facts) for part in parts)


def least(values: Sequence[Scalar]) -> Scalar:
    """Return the least value: numbers come before text, text before booleans."""
    return min(values, key=_comparable)


def _comparable(value: Scalar) -> tuple[int, int | float, str]:
    """Order numbers among themselves, and so texts and booleans; kinds never mix."""
    if isinstance(value, str):
        return 1, 0, value
    return (2 if isinstance(value, bool) else 0), value, ""


def _compare(value: Scalar, operator: Literal["lt", "lte", "gt", "gte"], limit: Scalar) -> bool:
    one, other = _comparable(value), _comparable(limit)
    if one[0] != other[0]:
        return False
    match operator:
        case "lt":
            return one < other
        case "lte":
            return one <= other
        case "gt":
            return one > other
        case "gte":
            return one >= other
