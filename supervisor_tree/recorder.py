"""Children for tests: they write down what happens to them, and do as they are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import trio

from supervisor_tree.child_spec import ChildSpec
from supervisor_tree.errors import Shutdown
from supervisor_tree.incarnation import Incarnation


class Boom(Exception):
    """The crash of a child in a test, where no other is given."""


@attrs.frozen(kw_only=True)
class Script:
    """How a recorder behaves. Times in seconds.

    `cleanup` is spent after the stop request, shielded from cancellation; with `deaf` the request
    is ignored, and with `stuck` the cancellation is, too.
    """

    init: float = 0.0
    cleanup: float = 0.0
    deaf: bool = False
    stuck: bool = False
    cleanup_error: Exception | None = None
    started_value: Any = None


class Recorders:
    """A cast of services that share one log: `("+", id)` when ready, `("-", id)` when finished.

    `log` is cleared by the tests as they like. `init_errors[id]` makes that child fail to start as
    long as it is there; `began` counts the inits of each id.
    """

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.began: Counter[str] = Counter()
        self.init_errors: dict[str, BaseException] = {}
        self.current: dict[str, Recorder] = {}

    def spec(self, id: str, script: Script | None = None, **more: Any) -> ChildSpec:  # noqa: A002  # ChildSpec's word
        """Make the spec of a recorder; `more` goes to the ChildSpec."""
        return ChildSpec(id, self.factory(id, script), **more)

    def factory(self, id: str, script: Script | None = None) -> Callable[[], Recorder]:  # noqa: A002  # as above
        """Make a factory of recorders that log under `id`."""
        chosen = Script() if script is None else script

        def make() -> Recorder:
            self.current[id] = Recorder(self, id, chosen)
            return self.current[id]

        return make

    def crash(self, id: str, error: BaseException | None = None) -> None:  # noqa: A002  # as above
        """Make a running child raise."""
        self.current[id].tell(Boom(id) if error is None else error)

    def finish(self, id: str) -> None:  # noqa: A002  # as above
        """Make a running child return."""
        self.current[id].tell(None)

    def quit(self, id: str) -> None:  # noqa: A002  # as above
        """Make a running child raise Shutdown."""
        self.current[id].tell(Shutdown("done"))


class Recorder:
    """One incarnation of a scripted child."""

    def __init__(self, cast: Recorders, id: str, script: Script) -> None:  # noqa: A002  # as above
        self.incarnation: Incarnation | None = None
        self._cast = cast
        self._id = id
        self._script = script
        self._told = trio.Event()
        self._error: BaseException | None = None

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Become ready, wait to be told what to do, clean up."""
        if isinstance(task_status, Incarnation):
            self.incarnation = task_status
        self._cast.began[self._id] += 1
        init_error = self._cast.init_errors.get(self._id)
        await trio.sleep(self._script.init)
        if init_error is not None:
            raise init_error
        self._cast.log.append(("+", self._id))
        task_status.started(self._script.started_value)
        try:
            await self._told.wait()
        finally:
            await self._clean_up()
        if self._error is not None:
            raise self._error

    def request_stop(self) -> None:
        """Finish, unless the script says otherwise."""
        if not self._script.deaf:
            self._told.set()

    def tell(self, error: BaseException | None) -> None:
        """Have it return, or raise `error`."""
        self._error = error
        self._told.set()

    async def _clean_up(self) -> None:
        with trio.CancelScope(shield=True):
            if self._script.stuck and not self._told.is_set():
                await self._told.wait()
            await trio.sleep(self._script.cleanup)
        self._cast.log.append(("-", self._id))
        if self._script.cleanup_error is not None:
            raise self._script.cleanup_error
