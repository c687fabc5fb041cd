"""Nodes whose upstreams fail."""

from collections.abc import Iterator

import pytest

from tests.faults.upstream import ServerLoop, server_loop
from tests.faults.upstream_node import OPENING_SOON, Node, running_node
from tests.faults.upstream_wire import Greeting, plain
from tests.matrix.doors import DOORS, ClientDoor


@pytest.fixture(scope="module")
def loop() -> Iterator[ServerLoop]:
    """Where the upstreams of a module serve."""
    with server_loop() as loop:
        yield loop


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """What else the node's process finds in its environment."""
    return {}


@pytest.fixture(scope="module")
def greeting() -> Greeting:
    """How a server that speaks TLS does so when the node starts."""
    return plain


@pytest.fixture(scope="module")
def node(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    loop: ServerLoop,
    environ: dict[str, str],
    greeting: Greeting,
) -> Iterator[Node]:
    """A node with the workers that the module's `STOCK` names, and no retries but by others."""
    settings = getattr(request.module, "SETTINGS", OPENING_SOON)
    folder = tmp_path_factory.mktemp("faults")
    stock = request.module.STOCK
    with running_node(
        folder, loop, stock, settings=settings, environ=environ, greeting=greeting
    ) as node:
        yield node


@pytest.fixture(params=DOORS, ids=lambda door: door.name)
def door(request: pytest.FixtureRequest) -> ClientDoor:
    """A dialect of clients."""
    found: ClientDoor = request.param
    return found
