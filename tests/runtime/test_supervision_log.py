"""What an operator reads of the supervision tree in the log."""

import pytest
import trio
from structlog.testing import capture_logs

from cortexd.runtime.supervision_log import log_supervision, log_tree
from supervisor_tree import (
    BRUTAL_KILL,
    Backoff,
    ChildSpec,
    RestartIntensityExceeded,
    Supervisor,
    open_tree,
    task,
)


class Boom(Exception):
    """What goes wrong."""


async def _crash_after(seconds: float) -> None:
    await trio.sleep(seconds)
    raise Boom("out of luck")


async def test_a_restart_is_logged_with_its_cause(autojump_clock: trio.testing.MockClock) -> None:
    """Who, why, for the how-manieth time, and when it comes back."""
    tree = Supervisor(ChildSpec("a", task(_crash_after, 1.0), backoff=Backoff(jitter=0.0)))
    with capture_logs() as lines:
        async with open_tree(tree) as running:
            running.add_hook(log_supervision)
            await trio.sleep(1.5)

    (line,) = lines
    assert line["event"] == "child restarts"
    assert (line["child"], line["attempt"], line["delay_s"], line["uptime_s"]) == (
        "root/a",
        1,
        0.0,
        1.0,
    )
    assert "out of luck" in line["cause"]
    assert isinstance(line["exc_info"], Boom)


async def test_giving_up_and_being_killed_are_logged(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The end of a supervisor's patience, and of a child that was not asked."""
    tree = Supervisor(
        ChildSpec("stubborn", task(trio.sleep_forever), shutdown=BRUTAL_KILL),
        ChildSpec("a", task(_crash_after, 1.0)),
        max_restarts=0,
    )
    with capture_logs() as lines, pytest.raises(RestartIntensityExceeded):
        async with open_tree(tree) as running:
            running.add_hook(log_supervision)
            await trio.sleep_forever()

    events = [(line["event"], line.get("child", line.get("supervisor"))) for line in lines]
    assert ("supervisor gave up", "root") in events
    assert ("child was killed", "root/stubborn") in events


async def test_the_tree_is_logged_a_line_a_node(autojump_clock: trio.testing.MockClock) -> None:
    """With the state of each."""
    inner = ChildSpec("inner", lambda: Supervisor(ChildSpec("leaf", task(trio.sleep_forever))))
    with capture_logs() as lines:
        async with open_tree(Supervisor(inner)) as running:
            log_tree(running.snapshot())

    assert [(line["path"], line["state"]) for line in lines] == [
        ("root", "running"),
        ("root/inner", "running"),
        ("root/inner/leaf", "running"),
    ]
