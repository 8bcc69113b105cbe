"""Routes ask for the parts that they need, and know nothing of each other."""

import ast
import inspect
import pkgutil
from importlib import import_module
from types import ModuleType
from typing import get_args, get_type_hints

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from app.api import routes
from app.service import Service

MODULES = [
    import_module(info.name) for info in pkgutil.iter_modules(routes.__path__, "app.api.routes.")
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_handler_takes_the_whole_service(module: ModuleType) -> None:
    router = module.router
    assert isinstance(router, APIRouter)
    for route in router.routes:
        assert isinstance(route, APIRoute)
        for hint in get_type_hints(route.endpoint, include_extras=True).values():
            assert Service not in (hint, *get_args(hint)), route.path


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_route_imports_a_route(module: ModuleType) -> None:
    imported = [
        node.module or ""
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom)
    ]
    assert imported
    assert not any(name.startswith("app.api.routes") for name in imported)
