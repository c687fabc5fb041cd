"""What the tests of the supervision tree share: scripted children, and a measure of work."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import attrs
import pytest

from supervisor_tree.testing import Recorders


@pytest.fixture
def cast() -> Recorders:
    """Give each test recorders with a log of their own."""
    return Recorders()


@attrs.define
class Work:
    """How many Python functions were entered: unlike seconds, the same on every machine."""

    calls: int = 0

    def count(self, _frame: object, event: str, _argument: Any) -> None:
        """Take note of one event of the interpreter."""
        self.calls += event == "call"


CountWork: TypeAlias = Callable[[], AbstractContextManager[Work]]


@pytest.fixture
def count_work() -> CountWork:
    """Measure what a block costs, in calls of functions."""

    @contextmanager
    def counting() -> Iterator[Work]:
        work, before = Work(), sys.getprofile()
        sys.setprofile(work.count)
        try:
            yield work
        finally:
            sys.setprofile(before)

    return counting
