"""Nodes for the tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest

from tests.daemon import Daemon, running_daemon

StartDaemon: TypeAlias = Callable[..., Daemon]


@pytest.fixture(scope="module")
def start_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDaemon]:
    """Starts nodes from the text of their `[[workers]]`; ends them after the module."""
    with ExitStack() as stack:

        def start(workers: str, **settings: Any) -> Daemon:
            folder = tmp_path_factory.mktemp("node")
            return stack.enter_context(running_daemon(folder, workers, **settings))

        yield start
