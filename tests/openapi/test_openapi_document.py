"""The document against what it describes: the routes, and what OpenAPI itself asks for."""

import json
import re
from collections.abc import Sequence
from typing import Any

import attrs
import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolView
from cortexd.http.data_routes import DoorParts, data_routes
from cortexd.http.doors.door import DoorRequest
from cortexd.http.openapi.document import openapi_document
from cortexd.http.openapi.request_examples import REQUEST_EXAMPLES
from cortexd.http.probes import NodeProbes
from cortexd.http.quart_app import Route
from cortexd.pipeline.exchange import Exchange
from cortexd.policy.load_balancing import PoolStrategy


async def _serve_nobody(exchange: Exchange) -> None:
    raise NotImplementedError


@attrs.define
class _Kept:
    """A responder that keeps what it is given."""

    status: int = 0
    body: bytes = b""

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.status = status

    async def send(self, data: bytes) -> None:
        self.body += data

    async def finish(self) -> None:
        pass


@pytest.fixture
def routes() -> tuple[Route, ...]:
    """Every endpoint, with nobody behind the doors."""
    probes = NodeProbes(
        view=Published(PoolView(members=(), strategy=PoolStrategy.LOCAL_FIRST)),
        uptime_s=lambda: 0.0,
        is_draining=lambda: False,
        wall_clock=lambda: 0.0,
    )
    return data_routes(
        DoorParts(
            service=_serve_nobody,
            probes=probes,
            aliases={},
            new_id=lambda: "1",
            wall_clock=lambda: 0.0,
            clock=lambda: 0.0,
            version="1.2.3",
        )
    )


def test_every_route_is_described_and_nothing_else(
    document: dict[str, Any], routes: tuple[Route, ...]
) -> None:
    """A parameter is written `<path:name>` there and `{name}` here."""
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    served = {(route.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)) for route in routes}
    assert described == served


async def test_the_document_is_served(routes: tuple[Route, ...], document: dict[str, Any]) -> None:
    """It is what its own address answers."""
    [route] = [route for route in routes if route.path == "/openapi.json"]
    responder = _Kept()
    await route.door.answer(
        DoorRequest(method="GET", path=route.path, headers={}, body=b""), responder
    )
    assert responder.status == 200
    assert json.loads(responder.body) == document


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    """By the schema that the OpenAPI Initiative gives for documents of 3.1."""
    validator = jsonschema_rs.validator_for(OPENAPI_31)
    assert [error.message for error in validator.iter_errors(document)] == []


def test_every_schema_is_a_schema(document: dict[str, Any]) -> None:
    """OpenAPI leaves it to JSON Schema to check them; what is none raises an error."""
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(_references, value.values()))


def test_every_component_is_referred_to_and_every_reference_leads_to_one(
    document: dict[str, Any],
) -> None:
    """Otherwise one of them is a leftover or a typing error."""
    components = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert _references(document) == components


def test_names_of_operations_are_unique(document: dict[str, Any]) -> None:
    """Generators of clients make functions of them."""
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
    ]
    assert len(set(names)) == len(names)


def test_the_version_is_that_of_the_daemon() -> None:
    """Whoever reads the document knows which cortexd it is of."""
    assert openapi_document("4.5.6")["info"]["version"] == "4.5.6"


@pytest.mark.parametrize("name", REQUEST_EXAMPLES)
def test_the_examples_fit_their_schemas(
    name: str, document: dict[str, Any], complaints: Any
) -> None:
    """What is to be copied from must be right."""
    for label, example in REQUEST_EXAMPLES[name].items():
        found = complaints({"$ref": f"#/components/schemas/{name}"}, example)
        assert found == [], label
