"""Group O: hooks, event streams and snapshots."""

import json
import logging
from functools import partial
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    Actor,
    ChildSpec,
    Supervisor,
    task,
)
from supervisor_tree.testing import (
    Boom,
    Recorders,
    running,
    settle,
)


async def test_c148_broken_hook_is_removed(
    cast: Recorders, caplog: pytest.LogCaptureFixture
) -> None:
    """A hook that raises is logged once and not called again."""
    calls: list[Any] = []

    def broken(event: Any) -> None:
        calls.append(event)
        raise Boom

    sup = Supervisor(cast.spec("a"))
    with caplog.at_level(logging.ERROR):
        async with running(sup) as tree:
            tree.add_hook(broken)
            cast.crash("a")
            await settle()
            assert sup.count_children().active == 1
    assert len(calls) == 1
    assert "hook" in caplog.text


async def test_c149_slow_stream_loses_the_oldest(cast: Recorders) -> None:
    """A reader that is too slow loses the oldest events and is told how many."""
    sup = Supervisor(cast.spec("a"), max_restarts=100)
    async with running(sup) as tree, tree.events(buffer=4) as stream:
        for _ in range(5):
            cast.crash("a")
            await settle()
        assert stream.lost == 5 * 4 - 4
        kinds = [type(await anext(stream)).__name__ for _ in range(4)]
        assert kinds == ["ChildExited", "RestartScheduled", "ChildStarting", "ChildStarted"]


async def test_c149_stream_ends_with_the_tree(cast: Recorders) -> None:
    """Reading on to the end gives all events, then ends."""
    seen: list[str] = []

    async def read(tree: Any, task_status: trio.TaskStatus[None]) -> None:
        async with tree.events() as stream:
            task_status.started()
            async for event in stream:
                seen.append(type(event).__name__)  # noqa: PERF401  # events come one by one

    sup = Supervisor(cast.spec("a"))
    async with trio.open_nursery() as nursery, running(sup) as tree:
        await nursery.start(read, tree)
    assert seen == ["StopRequested", "ChildExited"]
    async with tree.events() as late:
        assert [event async for event in late] == []


async def test_c150_snapshot_is_json(cast: Recorders) -> None:
    """The snapshot describes the tree in JSON types."""
    inner = ChildSpec("inner", partial(Supervisor, cast.spec("w")))
    sup = Supervisor(cast.spec("a"), inner)
    async with running(sup) as tree:
        cast.crash("a")
        await trio.sleep(2)
        snapshot = tree.snapshot()
        text = json.dumps(attrs.asdict(snapshot))
        assert json.loads(text)["children"][1]["children"][0]["path"] == "root/inner/w"
        assert (snapshot.kind, snapshot.state) == ("supervisor", "running")
        a = snapshot.children[0]
        assert (a.kind, a.state, a.incarnation, a.restarts, a.uptime) == (
            "worker",
            "running",
            2,
            1,
            2,
        )
        assert a.last_exit is not None
        assert a.last_exit.startswith("crashed")


async def test_c150_snapshot_remembers_the_latest_exits(cast: Recorders) -> None:
    """Ten at most, oldest first, each with when, who, how long it was up, and why in words."""
    sup = Supervisor(cast.spec("a"), max_restarts=100)
    async with running(sup) as tree:
        assert tree.snapshot().children[0].exits == ()
        for _ in range(12):
            await trio.sleep(2)
            cast.crash("a")
            await settle()
        exits = tree.snapshot().children[0].exits
        assert [past.incarnation for past in exits] == list(range(3, 13))
        assert [past.time for past in exits] == [2.0 * number for number in range(3, 13)]
        assert {past.uptime for past in exits} == {2.0}
        assert all(past.exit.startswith("crashed: ") for past in exits)
        assert json.loads(json.dumps(attrs.asdict(exits[0])))["incarnation"] == 3


async def test_c150_snapshot_cuts_long_reasons() -> None:
    """An error may say a lot; what is remembered of it is bounded."""

    async def crash() -> None:
        await trio.sleep(1)
        raise Boom("x" * 100_000)

    sup = Supervisor(ChildSpec("a", task(crash)))
    async with running(sup) as tree:
        await trio.sleep(1.5)
        (past,) = tree.snapshot().children[0].exits
        assert len(past.exit) == 500


class Busy(Actor):
    """Is busy."""

    async def work(self) -> None:
        """Take a while."""
        await trio.sleep(10)


async def test_c150_snapshot_shows_what_an_actor_does() -> None:
    """The running handler and its age are visible."""
    sup = Supervisor(ChildSpec("a", Busy))
    async with running(sup) as tree:
        ref = sup.which_children()[0].ref
        ref.cast(Busy.work)
        ref.cast(Busy.work)
        await trio.sleep(3)
        node = tree.snapshot().children[0]
        assert (node.current_handler, node.handler_age) == ("work", 3)
        assert (node.mailbox_depth, node.mailbox_high, node.handled) == (1, 2, 0)
        ref.kill()
