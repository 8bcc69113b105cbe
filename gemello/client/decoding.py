"""JSON values → the typed results of ``results.py``, by the types of their fields."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    NoneType: "null",
    list: "a list",
    dict: "an object",
}


def decode(kind: type[T], value: Any) -> T:
    """Return ``value``, as ``json.loads`` gives it, as a ``kind``: one of the dataclasses of ``results``.

    Fields that ``kind`` doesn't have are left out, as a newer service may send more. Raises ``ValueError``
    that says where a field is missing or has another type.
    """
    return cast("T", _decoded(kind, value, ""))


def _decoded(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        return _one_of(get_args(hint), value, where)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise _mismatch(where, value, f"one of {', '.join(map(repr, get_args(hint)))}")
    if origin is list and isinstance(value, list):
        (each,) = get_args(hint)
        return [_decoded(each, item, f"{where}[{number}]") for number, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        _, each = get_args(hint)
        return {key: _decoded(each, item, _joined(where, key)) for key, item in value.items()}
    if is_dataclass(hint) and isinstance(value, dict):
        return _object(hint, value, where)
    # Every integer is a number, but True, which Python takes for 1, is not.
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is hint:
        return value
    raise _mismatch(where, value, _expected(hint))


def _object(kind: Any, value: Mapping[str, Any], where: str) -> Any:
    hints = _hints(kind)
    known = {
        name: _decoded(hints[name], value[name], _joined(where, name))
        for name in hints.keys() & value.keys()
    }
    try:
        return kind(**known)
    except TypeError as exc:
        missing = next(name for name in hints if name not in known)
        raise ValueError(f"{_joined(where, missing)} is missing") from exc


def _one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not NoneType]
    if len(others) == 1:
        # So that an error says where inside it something is wrong.
        return _decoded(others[0], value, where)
    for kind in others:
        # An integer stays one where both will do.
        if type(value) is kind:
            return value
    raise _mismatch(where, value, " or ".join(map(_expected, kinds)))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _expected(hint: Any) -> str:
    return _NAMES.get(get_origin(hint) or hint, "an object")


def _mismatch(where: str, value: Any, expected: str) -> ValueError:
    actual = repr(value) if isinstance(value, str) else _NAMES.get(type(value), "something else")
    return ValueError(f"{where or 'the answer'} is {actual}, not {expected}")


def _joined(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
