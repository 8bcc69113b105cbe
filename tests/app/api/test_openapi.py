"""The service against its own OpenAPI document: schemathesis makes requests, all its checks hold."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode

from app.config import Settings
from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.serving import in_thread

GOLDEN = ROOT / "docs" / "openapi.json"
OPERATIONS = [
    (path, method, mode)
    for path, methods in json.loads(GOLDEN.read_text())["paths"].items()
    for method, operation in methods.items()
    for mode in GenerationMode
    # A request that says nothing, or only an id, cannot fail to fit the document.
    if mode is GenerationMode.POSITIVE
    or "requestBody" in operation
    or any(parameter["in"] == "query" for parameter in operation.get("parameters", []))
]
FEW, MANY = 8, 100


@pytest.fixture(scope="module")
def contract(make_settings: Callable[[], Settings]) -> Iterator[Any]:
    with in_thread(make_settings()) as client:
        fill(client)
        rules = schemathesis.Config.from_path(ROOT / "schemathesis.toml")
        yield schemathesis.openapi.from_url(f"{client.base_url}/openapi.json", config=rules)


def fill(client: httpx.Client) -> None:
    client.post("/gallery", files={"images": picture(1)}, data={"ids": '["a"]'})


def check(contract: Any, path: str, method: str, mode: GenerationMode, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=contract[path][method].as_strategy(mode))
    def every_case(case: Case) -> None:
        case.call_and_validate()

    every_case()


def test_hardening_32_every_reference_leads_somewhere() -> None:
    text = GOLDEN.read_text()
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert named - set(json.loads(text)["components"]["schemas"]) == set()


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_answer_is_one_that_the_document_names(
    contract: Any, path: str, method: str, mode: GenerationMode
) -> None:
    """Positive requests fit the document, negative ones do not."""
    check(contract, path, method, mode, FEW)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_so_is_every_one_of_many_more(
    contract: Any, path: str, method: str, mode: GenerationMode
) -> None:
    check(contract, path, method, mode, MANY)
