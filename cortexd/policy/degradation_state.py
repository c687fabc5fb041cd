"""How the node's level moves.

Two things take the node down, and the worse of them counts: the share of its workers that it still
has, and the pressure it is under itself. It falls at once and as far as it must. It climbs a level
at a time, each after some seconds in which that level's share of recovery was reached: the gap
between the two shares keeps it from going up and down with every worker that comes and goes.
Rules of this file: times are monotonic seconds; nothing is decided but by the arguments.
"""

from typing import Final

import attrs

from cortexd.policy.degradation import (
    LEVELS,
    DegradationLevel,
    Strategy,
    depth,
    strategies_at,
)
from cortexd.policy.degradation_settings import (
    DegradationSettings,
    Staffing,
    level_by_pressure,
    level_by_workers,
)
from cortexd.policy.pressure import Pressure

CLIMB_S: Final = 5.0
"""For so long all must be well enough before the node climbs one level."""

HISTORY_MAX: Final = 50
"""How many changes of level are remembered."""


@attrs.frozen
class Rung:
    """Where one of the two causes has taken the node. `well_since`: since when it could climb."""

    level: DegradationLevel = DegradationLevel.HEALTHY
    well_since: float | None = None

    def moved(self, fallen_to: DegradationLevel, now: float, *, may_climb: bool) -> "Rung":
        """Down at once, up one level after CLIMB_S."""
        if depth(fallen_to) > depth(self.level):
            return Rung(fallen_to)
        if self.level is DegradationLevel.HEALTHY or not may_climb:
            return Rung(self.level)
        if self.well_since is None:
            return Rung(self.level, now)
        if now - self.well_since < CLIMB_S:
            return self
        # Each level has seconds of its own to prove that it can be left.
        return Rung(LEVELS[depth(self.level) - 1], now)


@attrs.frozen
class LevelChange:
    """That the level changed. `at` is in monotonic seconds."""

    at: float
    before: DegradationLevel
    after: DegradationLevel
    forced: bool
    reason: str


@attrs.frozen(kw_only=True)
class DegradationState:
    """What the pipeline and operators go by.

    `level` is in force: `automatic_level`, unless an operator has `forced` another. `since`: when
    it was reached, in monotonic seconds. `all_rest`: nobody is available, but some
    are only at rest.
    """

    level: DegradationLevel = DegradationLevel.HEALTHY
    automatic_level: DegradationLevel = DegradationLevel.HEALTHY
    forced: bool = False
    reason: str = "all is well"
    since: float = 0.0
    all_rest: bool = False
    by_workers: Rung = Rung()
    by_pressure: Rung = Rung()
    history: tuple[LevelChange, ...] = ()

    @property
    def strategies(self) -> frozenset[Strategy]:
        """What is done at this level."""
        return strategies_at(self.level)

    @property
    def sheds(self) -> bool:
        """Whether some clients are to be turned away at this level.

        Not where all workers are at rest: there is nobody to spare, and routing lets only as many
        through as it takes to find out whether one is back.
        """
        pressed = depth(self.by_pressure.level) >= depth(self.level)
        return self.forced or pressed or not self.all_rest


def assessed(
    state: DegradationState,
    staffing: Staffing,
    pressure: Pressure,
    settings: DegradationSettings,
    *,
    now: float,
) -> DegradationState:
    """The state after one more look at the node."""
    if not settings.enabled:
        reason = state.reason if state.forced else "degradation is switched off"
        return _at_level(state, DegradationLevel.HEALTHY, reason, now)
    staffed = level_by_workers(staffing, settings)
    by_workers = state.by_workers.moved(
        staffed,
        now,
        may_climb=depth(staffed) < depth(state.by_workers.level)
        and staffing.share >= settings.recovery_share(state.by_workers.level),
    )
    strained = level_by_pressure(pressure.share, settings)
    by_pressure = state.by_pressure.moved(
        strained, now, may_climb=depth(strained) < depth(state.by_pressure.level)
    )
    level = max(by_workers.level, by_pressure.level, key=depth)
    state = attrs.evolve(
        state,
        by_workers=by_workers,
        by_pressure=by_pressure,
        all_rest=not staffing.available and staffing.resting > 0,
    )
    return _at_level(state, level, _why(level, by_workers, staffing, pressure), now)


def forced_to(
    state: DegradationState, level: DegradationLevel | None, *, now: float
) -> DegradationState:
    """The state with an operator's level in force; `None`: with the automatic one again."""
    if level is None:
        state = attrs.evolve(state, forced=False)
        return _at_level(state, state.automatic_level, "back to automatic", now)
    return _entered(
        attrs.evolve(state, forced=True), level, "an operator has forced this level", now
    )


def _at_level(
    state: DegradationState, automatic: DegradationLevel, reason: str, now: float
) -> DegradationState:
    state = attrs.evolve(state, automatic_level=automatic)
    return state if state.forced else _entered(state, automatic, reason, now)


def _entered(
    state: DegradationState, level: DegradationLevel, reason: str, now: float
) -> DegradationState:
    if level is state.level:
        return attrs.evolve(state, reason=reason)
    change = LevelChange(now, state.level, level, state.forced, reason)
    return attrs.evolve(
        state,
        level=level,
        reason=reason,
        since=now,
        history=(*state.history, change)[-HISTORY_MAX:],
    )


def _why(level: DegradationLevel, by_workers: Rung, staffing: Staffing, pressure: Pressure) -> str:
    if level is DegradationLevel.HEALTHY:
        return "all is well"
    if by_workers.level is level:
        climbs = (
            " and this level is yet to be climbed out of"
            if by_workers.well_since is not None
            else ""
        )
        return f"{staffing.available} of {staffing.workers} workers are available{climbs}"
    return pressure.words
