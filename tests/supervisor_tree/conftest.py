"""What the tests of the supervision tree share: scripted children, and time that jumps."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from supervisor_tree.testing import Recorders


def _run_jumping(
    run: Callable[[], Awaitable[Any]],
    *,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> Any:
    """Run a test so that sleeping costs nothing."""
    return trio.run(run, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let time jump in all tests here, except for those of real signals and threads."""
    is_async = inspect.iscoroutinefunction(getattr(item, "obj", None))
    if is_async and "real_time" not in item.keywords:
        item.add_marker(pytest.mark.trio(run=_run_jumping), append=False)


@pytest.fixture
def cast() -> Recorders:
    """Give each test recorders with a log of their own."""
    return Recorders()
