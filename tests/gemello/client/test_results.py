"""The result classes are what docs/openapi.json says, field by field."""

import json
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from gemello.client import results
from tests.support.paths import ROOT

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
READ = {
    "post /compare": results.Comparison,
    "get /duplicates": results.Duplicates,
    "post /embed": results.EmbedAnswer,
    "delete /gallery": results.RemoveAnswer,
    "get /gallery": results.ImagePage,
    "post /gallery": results.ItemList,
    "post /gallery/import": results.Job,
    "get /gallery/{image_id}": results.Image,
    "patch /gallery/{image_id}": results.Image,
    "get /gallery/{image_id}/similar": results.SearchAnswer,
    "get /health": results.Health,
    "get /jobs": results.JobList,
    "get /jobs/{job_id}": results.JobDetails,
    "post /jobs/{job_id}/cancel": results.Job,
    "get /models": results.ModelList,
    "post /models/{name}/{version}/activate": results.Job,
    "post /models/{name}/{version}/adapt": results.Job,
    "post /search": results.SearchAnswer,
    "post /search/batch": results.BatchAnswer,
    "get /stats": results.Stats,
}
NOT_READ = {"get /health/live", "get /health/ready"}
COUNTS = {"created", "replaced", "skipped", "failed"}
"""What ``post /gallery`` answers besides, and the client leaves out."""
SCALARS = {"string": str, "integer": int, "number": float, "boolean": bool, "null": NoneType}


def answers() -> dict[str, list[dict[str, Any]]]:
    """The JSON schemas of what each call answers when it succeeds."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if status.startswith("2") and content and content["schema"]:
                    found.setdefault(f"{method} {path}", []).append(content["schema"])
    return found


def differences(schema: dict[str, Any], hint: Any, where: str = "") -> list[str]:
    """Where a type differs from a JSON schema."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        if not is_dataclass(hint):
            return [f"{where}: {hint} is not a class"]
        return _object_differences(schema, hint, where)
    if "anyOf" in schema:
        return _union_differences(schema["anyOf"], hint, where)
    if allowed := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
        same = get_origin(hint) is Literal and set(get_args(hint)) == set(allowed)
        return [] if same else [f"{where}: {hint} instead of {allowed}"]
    if schema["type"] == "array" and get_origin(hint) is list:
        return differences(schema["items"], get_args(hint)[0], f"{where}[]")
    if schema["type"] == "object" and get_origin(hint) is dict:
        values, each = schema["additionalProperties"], get_args(hint)[1]
        if values is True:
            return [] if each is Any else [f"{where}: {each} instead of anything"]
        return differences(values, each, f"{where}{{}}")
    expected = SCALARS.get(schema["type"])
    return [] if hint is expected else [f"{where}: {hint} instead of {schema['type']}"]


def _object_differences(schema: dict[str, Any], kind: Any, where: str) -> list[str]:
    hints, properties = get_type_hints(kind), schema["properties"]
    ours = {field.name: field for field in fields(kind)}
    wrong = [f"{where}.{name} is on one side only" for name in ours.keys() ^ properties.keys()]
    for name in ours.keys() & properties.keys():
        required = ours[name].default is MISSING and ours[name].default_factory is MISSING
        if required != (name in schema.get("required", [])):
            wrong.append(f"{where}.{name} is required on one side only")
        wrong += differences(properties[name], hints[name], f"{where}.{name}")
    return wrong


def _union_differences(options: list[dict[str, Any]], hint: Any, where: str) -> list[str]:
    kinds = list(get_args(hint)) if get_origin(hint) in (Union, UnionType) else [hint]
    if len(kinds) != len(options):
        return [f"{where}: {hint} instead of {len(options)} kinds"]
    return [
        f"{where}: no part of {hint} is {option}"
        for option in options
        if all(differences(option, kind, where) for kind in kinds)
    ]


def test_every_answer_is_read_or_known_not_to_be() -> None:
    assert answers().keys() == READ.keys() | NOT_READ


@pytest.mark.parametrize("call", READ)
def test_a_result_is_what_the_document_says(call: str) -> None:
    left_out = {f".{name} is on one side only" for name in COUNTS if call == "post /gallery"}
    for schema in answers()[call]:
        assert set(differences(schema, READ[call])) == left_out


def test_a_difference_is_found() -> None:
    @dataclass
    class Renamed:
        number: int

    @dataclass
    class Other:
        count: float

    @dataclass
    class Nullable:
        count: int | None

    @dataclass
    class Optional:
        count: int = 0

    @dataclass
    class Same:
        count: int

    schema = {"properties": {"count": {"type": "integer"}}, "required": ["count"]}
    for kind in (Renamed, Other, Nullable, Optional):
        assert differences(schema, kind), kind
    assert differences(schema, Same) == []
