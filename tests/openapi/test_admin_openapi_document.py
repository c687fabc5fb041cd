"""The admin listener's document against what it describes: its routes, and a node's answers."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from cortexd.config.load import load
from cortexd.domain.secret import Secret
from cortexd.http.admin.authentication import AdminGate
from cortexd.http.admin.dashboard.routes import dashboard_routes
from cortexd.http.admin.routes import admin_routes
from cortexd.http.openapi.admin_document import admin_openapi_document
from cortexd.runtime.admin import admin_parts
from cortexd.runtime.application import build_application
from cortexd.runtime.surroundings import Surroundings


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document."""
    return admin_openapi_document("1.2.3")


@pytest.fixture
def routes(tmp_path: Path) -> set[tuple[str, str]]:
    """Every endpoint of a node that does not run, but for the pages of the dashboard.

    Those are for people, and no part of the API.
    """
    path = tmp_path / "cortexd.toml"
    path.write_text(f'[node]\nstate_dir = "{tmp_path}"\n', encoding="utf-8")
    app = build_application(load(path, {}), Surroundings())
    token = Secret("token")
    pages = {
        (route.method, route.path)
        for route in dashboard_routes(AdminGate(admin_parts(app).credentials(token)))
    }
    return {
        (route.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path))
        for route in admin_routes(admin_parts(app), token)
        if (route.method, route.path) not in pages
    }


def test_every_route_is_described_and_nothing_else(
    document: dict[str, Any], routes: set[tuple[str, str]]
) -> None:
    """A parameter is written `<path:name>` there and `{name}` here."""
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described == routes


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    """By the schema that the OpenAPI Initiative gives for documents of 3.1."""
    validator = jsonschema_rs.validator_for(OPENAPI_31)
    assert [error.message for error in validator.iter_errors(document)] == []


def test_names_of_operations_are_unique(document: dict[str, Any]) -> None:
    """Generators of clients make functions of them."""
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
    ]
    assert len(set(names)) == len(names)


def _references(value: Any) -> set[str]:
    found = re.findall(r"'\$ref': '#/components/schemas/(\w+)'", repr(value))
    return set(found)


def test_every_component_is_referred_to_and_every_reference_leads_to_one(
    document: dict[str, Any],
) -> None:
    """Otherwise one of them is a leftover or a typing error."""
    assert _references(document) == set(document["components"]["schemas"])


def test_only_the_login_needs_no_credential(document: dict[str, Any]) -> None:
    """Whoever asks for anything else is an operator already."""
    open_to_all = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
        if operation.get("security") == []
    ]
    assert open_to_all == ["login"]
