"""The running configuration, and the order to read it again."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from cortexd.http.admin.operation import read_query
from cortexd.http.doors.door import DoorRequest


@attrs.frozen(kw_only=True)
class Reloaded:
    """What a reload has changed, and what it could not change in a running node."""

    changes: tuple[str, ...]
    restart_needed: tuple[str, ...]


class ReloadRefused(Exception):
    """The configuration cannot be used: nothing has changed. `problems`: a line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@attrs.frozen(kw_only=True)
class ConfigurationAdmin:
    """`running`: the configuration as a document, without secrets."""

    running: Callable[[], dict[str, Any]]
    reload_now: Callable[[], Awaitable[Reloaded]]

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """The configuration that the node goes by."""
        read_query(request)
        return 200, self.running()

    async def reload(self, request: DoorRequest) -> tuple[int, Any]:
        """Read it again; all of it is taken up, or nothing has changed (422)."""
        read_query(request)
        try:
            done = await self.reload_now()
        except ReloadRefused as refused:
            count = len(refused.problems)
            error = {
                "message": f"the configuration has {count} problem{'s' if count > 1 else ''}; "
                "nothing has changed",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_configuration",
            }
            return 422, {"error": error, "problems": list(refused.problems)}
        return 200, {"changes": list(done.changes), "restart_needed": list(done.restart_needed)}
