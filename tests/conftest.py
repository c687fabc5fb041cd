"""What holds for all tests: time jumps unless a test says that it is real."""

import gc
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import coverage
import hypothesis
import pytest
import trio
from trio.testing import MockClock

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")

ANOTHER_PROCESS = {"bad_input", "dashboard", "load", "matrix", "scenario", "secrets"}
"""The folders of tests most of whose nodes are other processes: to measure this one would only slow
it, and what else they reach is tested by itself elsewhere."""


def _run_jumping(
    run: Callable[[], Awaitable[Any]],
    *,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> Any:
    """Run a test so that sleeping costs nothing."""
    return trio.run(run, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let time jump in all tests but those of real sockets, signals, processes and threads."""
    is_async = inspect.iscoroutinefunction(getattr(item, "obj", None))
    if is_async and "real_time" not in item.keywords:
        item.add_marker(pytest.mark.trio(run=_run_jumping), append=False)


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what is there for good: a tenth of all the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _measured(request: pytest.FixtureRequest) -> None:
    """See to it that only what can count is measured; see `unmeasured`."""
    if request.path.parent.name in ANOTHER_PROCESS:
        request.getfixturevalue("unmeasured")


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Leave a module out of the coverage: it takes a third to two thirds of the time then.

    For those that go over and over what other tests reach as well.
    """
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.stop()
    yield
    if measuring:
        measuring.start()
