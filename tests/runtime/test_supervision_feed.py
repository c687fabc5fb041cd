"""What those who watch are told of the supervision tree."""

import json
from typing import Any

import trio

from cortexd.observability.event_feed import EventFeed
from cortexd.runtime.supervision_feed import SUPERVISION_KINDS, feeding
from supervisor_tree import BRUTAL_KILL, Backoff, ChildSpec, Supervisor, open_tree, task


def _told(feed: EventFeed, after: int) -> list[tuple[str, dict[str, Any]]]:
    reading = feed.read(after, entries_max=100)
    return [(entry.kind, json.loads(entry.data)) for entry in reading.entries]


async def _crash_after(seconds: float) -> None:
    await trio.sleep(seconds)
    raise RuntimeError("out of luck " + "x" * 1000)


async def test_a_crash_and_the_restart_are_told() -> None:
    """Who, why and for how long it was up; then that it is back. Orderly ends are no news."""
    feed = EventFeed(lambda: 0.0, more_kinds=SUPERVISION_KINDS)
    before = feed.latest
    tree = Supervisor(ChildSpec("a", task(_crash_after, 1.0), backoff=Backoff(jitter=0.0)))
    async with open_tree(tree) as running:
        running.add_hook(feeding(feed))
        await trio.sleep(1.5)

    (failed, crash), (restarted, comeback) = _told(feed, before)

    assert (failed, restarted) == ("child_failed", "child_restarted")
    assert (crash["child"], crash["incarnation"], crash["uptime_s"]) == ("root/a", 1, 1.0)
    assert "out of luck" in crash["cause"]
    assert len(crash["cause"]) == 300
    assert (comeback["child"], comeback["incarnation"]) == ("root/a", 2)


async def test_a_kill_is_told() -> None:
    """A child that was not asked before."""
    feed = EventFeed(lambda: 0.0, more_kinds=SUPERVISION_KINDS)
    before = feed.latest
    tree = Supervisor(ChildSpec("a", task(trio.sleep_forever), shutdown=BRUTAL_KILL))
    async with open_tree(tree) as running:
        running.add_hook(feeding(feed))

    assert [kind for kind, _ in _told(feed, before)] == ["child_killed"]
