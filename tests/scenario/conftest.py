"""Where the scenarios play: upstreams that fail, and a browser."""

from collections.abc import Iterator

import pytest

from tests.dashboard.conftest import browser as browser  # noqa: PLC0414  shared by its name
from tests.faults.upstream import ServerLoop, server_loop


@pytest.fixture
def loop() -> Iterator[ServerLoop]:
    """Where the providers serve."""
    with server_loop() as loop:
        yield loop
