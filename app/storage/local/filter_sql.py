"""A filter as SQL over the table ``facts (key, value, position)``: a row for each value of an image.

Booleans are stored as BLOBs of one byte, so that they equal no number. SQLite orders numbers before
text before BLOBs, and compares kinds by that order, so a range of numbers ends before the empty
text, and one of text lies between the empty text and the empty BLOB.
"""

from app.storage.filters import And, Compare, Exists, Filter, In, Not, Or, Scalar

Value = str | int | float | bytes
_SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_FACTS = "SELECT position FROM facts WHERE key = ?"
_ALL = "SELECT position FROM images"


def stored(value: Scalar) -> Value:
    """Return a value as the column ``facts.value`` holds it."""
    return bytes([value]) if isinstance(value, bool) else value


def loaded(value: Value) -> Scalar:
    """Return the value that ``facts.value`` holds."""
    return value != b"\0" if isinstance(value, bytes) else value


def positions(where: Filter) -> tuple[str, list[Value]]:
    """Return a SELECT of the positions of the images for which ``where`` holds, and its parameters."""
    match where:
        case Exists(key):
            return _FACTS, [key]
        case In(key, values):
            marks = ",".join("?" * len(values))
            return f"{_FACTS} AND value IN ({marks})", [key, *map(stored, values)]
        case Compare(key, operator, value):
            kind = "value >= '' AND value < x''" if isinstance(value, str) else "value < ''"
            return f"{_FACTS} AND {kind} AND value {_SIGNS[operator]} ?", [key, value]
        case Not(part):
            return _joined("EXCEPT", [(_ALL, []), positions(part)])
        case And(parts):
            return _joined("INTERSECT", [positions(part) for part in parts] or [(_ALL, [])])
        case Or(parts):
            return _joined(
                "UNION", [positions(part) for part in parts] or [(f"{_ALL} LIMIT 0", [])]
            )


def _joined(how: str, selects: list[tuple[str, list[Value]]]) -> tuple[str, list[Value]]:
    sql = f" {how} ".join(f"SELECT position FROM ({select})" for select, _ in selects)  # noqa: S608
    return sql, [value for _, values in selects for value in values]
