"""The level at which the node works, for operators: how it came to it, and how to force another."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import trio

from cortexd.actors.degradation_manager import DEGRADATION_MANAGER, DegradationManager
from cortexd.actors.published import Published
from cortexd.http.admin.operation import read_fields, read_query
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.degradation import LEVELS, DegradationLevel, in_order
from cortexd.policy.degradation_state import DegradationState, LevelChange
from cortexd.wire.fields import INVALID_VALUE, MISSING, refuse
from supervisor_tree import whereis

AUTOMATIC: Final = "auto"
_CHARACTERS_MAX: Final = 40


@attrs.frozen(kw_only=True)
class DegradationAdmin:
    """What operators can see and do about the level. `wall_clock`: seconds since the epoch."""

    state: Published[DegradationState]
    wall_clock: Callable[[], float]

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """The level, why it is that one, and what it was before."""
        read_query(request)
        return 200, self.document()

    async def put(self, request: DoorRequest) -> tuple[int, Any]:
        """Force a level, or let it follow the state of the node again."""
        read_query(request)
        level = _read_level(request)
        await whereis(DEGRADATION_MANAGER).call(DegradationManager.force, level)
        return 200, self.document()

    def document(self) -> dict[str, Any]:
        """All there is to say about it, the last change first."""
        state = self.state.value
        return {
            "level": state.level.value,
            "automatic_level": state.automatic_level.value,
            "forced": state.forced,
            "reason": state.reason,
            "since_at": self._at(state.since),
            "accepting_requests": state.level is not DegradationLevel.EMERGENCY,
            "strategies": [strategy.value for strategy in in_order(state.strategies)],
            "history": [self._change(change) for change in reversed(state.history)],
        }

    def _change(self, change: LevelChange) -> dict[str, Any]:
        return {
            "changed_at": self._at(change.at),
            "before": change.before.value,
            "after": change.after.value,
            "forced": change.forced,
            "reason": change.reason,
        }

    def _at(self, moment: float) -> str:
        # Intervals are kept on the monotonic clock: the other one may be set in between.
        ago_s = trio.current_time() - moment
        return datetime.fromtimestamp(self.wall_clock() - ago_s, UTC).isoformat()


def _read_level(request: DoorRequest) -> DegradationLevel | None:
    fields = read_fields(request)
    fields.only({"level"}, {})
    name = fields.text("level", characters_max=_CHARACTERS_MAX)
    if name is None:
        refuse("level", "is missing", MISSING)
    if name == AUTOMATIC:
        return None
    levels = {level.value: level for level in LEVELS}
    if name not in levels:
        refuse("level", f"must be one of {', '.join(levels)}, or {AUTOMATIC}", INVALID_VALUE)
    return levels[name]
