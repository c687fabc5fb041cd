"""The decisions of a supervisor as plain functions: no clock, no tasks."""

import pytest

from supervisor_tree import AutoShutdown, Exit, ExitKind, Failure, Restart, Strategy
from supervisor_tree.exit_reason import unwrap
from supervisor_tree.restart_intensity import RestartIntensity
from supervisor_tree.restart_plan import (
    RestartPlan,
    Verdict,
    ends_supervisor,
    plan_restart,
    verdict,
)

RESTART, KEEP, REMOVE = Verdict.RESTART, Verdict.KEEP, Verdict.REMOVE


@pytest.mark.parametrize(
    ("kind", "permanent", "transient", "temporary"),
    [
        (ExitKind.NORMAL, RESTART, KEEP, REMOVE),
        (ExitKind.SHUTDOWN, RESTART, KEEP, REMOVE),
        (ExitKind.CRASHED, RESTART, RESTART, REMOVE),
        (ExitKind.KILLED, RESTART, RESTART, REMOVE),
        (ExitKind.IGNORED, KEEP, KEEP, REMOVE),
    ],
)
def test_verdict(
    kind: ExitKind, permanent: Verdict, transient: Verdict, temporary: Verdict
) -> None:
    """What becomes of a child follows from its restart type and its end."""
    assert verdict(Restart.PERMANENT, Exit(kind)) is permanent
    assert verdict(Restart.TRANSIENT, Exit(kind)) is transient
    assert verdict(Restart.TEMPORARY, Exit(kind)) is temporary


@pytest.mark.parametrize(
    ("strategy", "stop", "start"),
    [
        (Strategy.ONE_FOR_ONE, "", "b"),
        (Strategy.ONE_FOR_ALL, "dca", "abcd"),
        (Strategy.REST_FOR_ONE, "dc", "bcd"),
    ],
)
def test_plan_restart(strategy: Strategy, stop: str, start: str) -> None:
    """Groups are stopped backwards and started forwards."""
    assert plan_restart(strategy, "abcd", "b") == RestartPlan(tuple(stop), tuple(start))


@pytest.mark.parametrize(
    ("mode", "left", "ends"),
    [
        (AutoShutdown.NEVER, 0, False),
        (AutoShutdown.ANY_SIGNIFICANT, 1, True),
        (AutoShutdown.ALL_SIGNIFICANT, 1, False),
        (AutoShutdown.ALL_SIGNIFICANT, 0, True),
    ],
)
def test_ends_supervisor(mode: AutoShutdown, left: int, *, ends: bool) -> None:
    """Whether the end of a significant child is the end of all depends on those left."""
    assert ends_supervisor(mode, significant_left=left) is ends


def test_restart_intensity() -> None:
    """The budget is what fits into the window, both ends included."""
    intensity = RestartIntensity(max_restarts=2, max_seconds=5)
    charged = [intensity.charge(Failure(now, "a", None)) for now in (0, 1, 5, 6.5)]
    assert charged == [True, True, False, True]
    assert [failure.time for failure in intensity.history] == [5, 6.5]


def test_restart_intensity_forgets() -> None:
    """What has left the window is not kept."""
    intensity = RestartIntensity(max_restarts=2, max_seconds=5)
    intensity.charge(Failure(0, "a", None))
    intensity.forget(now=intensity.expires_at)
    assert intensity.history == ()
    assert intensity.expires_at == float("inf")


def test_unwrap() -> None:
    """Single exceptions come out of their groups, however deep; several stay."""
    single, other = ValueError(), KeyError()
    assert unwrap(ExceptionGroup("", [ExceptionGroup("", [single])])) is single
    several = ExceptionGroup("", [single, other])
    assert unwrap(ExceptionGroup("", [several])) is several
    assert unwrap(single) is single
