"""Group M: actors that hang and will not even be cancelled, and who takes their place."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStuck,
    Down,
    DynamicSupervisor,
    Event,
    Exit,
    ExitKind,
    InvalidSpec,
    Name,
    NodeSnapshot,
    RestartIntensityExceeded,
    StartFailed,
    Strategy,
    Supervisor,
    Tree,
    task,
    whereis,
)
from supervisor_tree.testing import Boom, Recorders, crash, events_of, running, settle

HANDLER_S_MAX = 5.0
GRACE_S = 3.0
REPLACED_AT = HANDLER_S_MAX + GRACE_S


class Deaf(Actor):
    """Can be told to hang behind a shield, until `release` is set."""

    call_timeout = 60.0
    max_handler_time = HANDLER_S_MAX

    def __init__(self, release: trio.Event) -> None:
        self.release = release
        self.notes: list[str] = []

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002
        """Note it."""
        self.notes.append(exit.kind)

    async def hang(self, then: Callable[["Deaf"], object] = lambda _deaf: None) -> str:
        """Hang, and do something at the very end."""
        with trio.CancelScope(shield=True):
            await self.release.wait()
        then(self)
        return "too late"

    async def nap(self, seconds: float) -> None:
        """Be busy."""
        await trio.sleep(seconds)

    async def number(self) -> int:
        """Tell which incarnation this is."""
        return self.ctx.incarnation

    async def crash_helper(self) -> None:
        """Crash from aside, while a handler runs."""
        self.nursery.start_soon(_raise_later)
        await self.hang()


async def _raise_later() -> None:
    await trio.sleep(1)
    raise ValueError


class Witness(Actor):
    """Watches another one."""

    def __init__(self, downs: list[float]) -> None:
        self.downs = downs

    async def watch(self, ref: ActorRef[Any]) -> None:
        """Begin."""
        self.monitor(ref)

    async def handle_info(self, message: object) -> None:
        """Note when it went down."""
        assert isinstance(message, Down)
        self.downs.append(trio.current_time())


DEAF = Name[Deaf]("deaf")


def deaf(release: trio.Event, **more: Any) -> ChildSpec:
    """Make the spec of one."""
    return ChildSpec("deaf", partial(Deaf, release), name=DEAF, **more)


@asynccontextmanager
async def releasing(sup: Supervisor, release: trio.Event) -> AsyncIterator[Tree]:
    """Run a tree for a block, whose end releases what is stuck: the tree waits for it."""
    async with running(sup) as tree:
        try:
            yield tree
        finally:
            release.set()


def of(kind: type[Event], events: list[Event], path: str = "root/deaf") -> list[tuple[float, int]]:
    """When events of a kind happened to a child, and to which incarnation."""
    return [
        (event.time, event.incarnation)
        for event in events
        if isinstance(event, kind) and event.path == path
    ]


async def test_a_deaf_actor_is_replaced() -> None:
    """It is reported with its stack, its name goes to a successor, and all callers go on."""
    release = trio.Event()
    async with releasing(Supervisor(deaf(release), kill_grace=GRACE_S), release) as tree:
        events, ref = events_of(tree), whereis(DEAF)
        with pytest.raises(ActorDied, match="hung") as caught:
            await ref.call(Deaf.hang)
        assert trio.current_time() == HANDLER_S_MAX
        assert caught.value.exit.kind is ExitKind.KILLED
        assert await ref.call(Deaf.number) == 2
        assert trio.current_time() == REPLACED_AT
        assert of(ChildStuck, events) == of(ChildExited, events) == [(REPLACED_AT, 1)]
        assert of(ChildStarted, events) == [(REPLACED_AT, 2)]
        assert "release.wait" in next(e.stack for e in events if isinstance(e, ChildStuck))


def _fail(_deaf: Deaf) -> None:
    raise ValueError


@pytest.mark.parametrize(
    "then",
    [
        lambda _deaf: None,
        lambda deaf: deaf.continue_with(Deaf.hang),
        lambda deaf: deaf.stop(ValueError("too late")),
        _fail,
    ],
    ids=["returns", "continues", "stops", "raises"],
)
async def test_a_late_end_changes_nothing(then: Callable[[Deaf], object]) -> None:
    """However the stuck handler ends, nobody hears of it; not even its own on_stop."""
    release = trio.Event()
    mades: list[Deaf] = []

    def make() -> Deaf:
        mades.append(Deaf(release))
        return mades[-1]

    sup = Supervisor(ChildSpec("deaf", make, name=DEAF), kill_grace=GRACE_S)
    async with releasing(sup, release) as tree:
        ref = whereis(DEAF)
        ref.cast(Deaf.hang, then)
        await trio.sleep(REPLACED_AT + 1)
        events, before = events_of(tree), tree.snapshot()
        release.set()
        await settle()
        assert events == []
        assert tree.snapshot() == before
        assert await ref.call(Deaf.number) == 2
        assert [made.notes for made in mades] == [[], []]


async def test_each_handler_has_the_whole_time() -> None:
    """A long queue of handlers is no long handler."""
    release, pause = trio.Event(), HANDLER_S_MAX * 0.6
    async with releasing(Supervisor(deaf(release), kill_grace=GRACE_S), release):
        ref = whereis(DEAF)
        for _ in range(10):
            ref.cast(Deaf.nap, pause)
        await trio.sleep(10 * pause)
        assert await ref.call(Deaf.number) == 1


async def test_ending_within_the_grace_is_not_stuck() -> None:
    """A successor comes as soon as the killed one has ended, and only one."""
    release = trio.Event()
    async with releasing(Supervisor(deaf(release), kill_grace=GRACE_S), release) as tree:
        events = events_of(tree)
        whereis(DEAF).cast(Deaf.hang)
        await trio.sleep(HANDLER_S_MAX + GRACE_S / 2)
        release.set()
        await trio.sleep(10 * REPLACED_AT)
        assert of(ChildStuck, events) == []
        assert of(ChildStarted, events) == [(HANDLER_S_MAX + GRACE_S / 2, 2)]


@pytest.mark.parametrize("stop_at", [1, HANDLER_S_MAX + 1, REPLACED_AT + 1])
async def test_a_stop_is_in_time(cast: Recorders, stop_at: float) -> None:
    """Whether it has hung for long or not, its siblings do not wait longer than they always do."""
    release, shutdown = trio.Event(), 2.0
    sup = Supervisor(cast.spec("a"), deaf(release, shutdown=shutdown), kill_grace=GRACE_S)
    async with releasing(sup, release) as tree:
        events = events_of(tree)
        whereis(DEAF).cast(Deaf.hang)
        await trio.sleep(stop_at)
        tree.request_stop()
        await trio.sleep(shutdown + GRACE_S)
        await settle()
        assert cast.log == [("+", "a"), ("-", "a")]
        assert len(of(ChildStuck, events)) == 1
        assert tree.root.is_occupied()
        release.set()
        await settle()
        assert not tree.root.is_occupied()
        exits = of(ChildExited, events)
        assert [number for _, number in exits] == sorted({number for _, number in exits})


async def test_it_costs_one_restart() -> None:
    """A stuck actor is one failure in the budget; its late end is none."""
    release = trio.Event()
    sup = Supervisor(deaf(release), kill_grace=GRACE_S, max_restarts=1, max_seconds=1000)
    with pytest.raises(RestartIntensityExceeded) as caught:
        async with releasing(sup, release):
            whereis(DEAF).cast(Deaf.hang, _fail)
            await trio.sleep(REPLACED_AT + 1)
            release.set()
            await settle()
            assert await whereis(DEAF).call(Deaf.number) == 2
            await crash(whereis(DEAF))
            await trio.sleep_forever()
    assert [type(failure.error) for failure in caught.value.history] == [trio.TooSlowError, Boom]


async def test_those_who_watch_it_are_told() -> None:
    """A monitor and wait_exit() see its end when it is given up on."""
    release, downs = trio.Event(), list[float]()
    sup = Supervisor(
        deaf(release), ChildSpec("witness", partial(Witness, downs)), kill_grace=GRACE_S
    )
    async with releasing(sup, release):
        ref = whereis(DEAF)
        await sup.which_children()[1].ref.call(Witness.watch, ref)
        ref.cast(Deaf.hang)
        assert (await ref.wait_exit()).kind is ExitKind.KILLED
        await settle()
        assert downs == [trio.current_time()] == [REPLACED_AT]


async def test_a_crash_beside_a_deaf_handler() -> None:
    """A helper's crash cannot end the handler either; its limit does."""
    release = trio.Event()
    async with releasing(Supervisor(deaf(release), kill_grace=GRACE_S), release) as tree:
        events = events_of(tree)
        whereis(DEAF).cast(Deaf.crash_helper)
        await trio.sleep(REPLACED_AT + 1)
        assert of(ChildStarted, events) == [(REPLACED_AT, 2)]


async def _sleep_deaf_at_first(release: trio.Event, lives: list[int]) -> None:
    lives.append(len(lives) + 1)
    with trio.CancelScope(shield=lives == [1]):
        await release.wait()
    await trio.sleep_forever()


async def test_killed_from_outside(cast: Recorders) -> None:
    """Any service that ignores a kill is replaced, and so are those that build on it."""
    release = trio.Event()
    sup = Supervisor(
        ChildSpec("deaf", task(_sleep_deaf_at_first, release, [])),
        cast.spec("b"),
        strategy=Strategy.REST_FOR_ONE,
        kill_grace=GRACE_S,
    )
    async with releasing(sup, release) as tree:
        events = events_of(tree)
        sup.which_children()[0].ref.kill()
        await trio.sleep(GRACE_S + 1)
        assert of(ChildStuck, events) == [(GRACE_S, 1)]
        assert of(ChildStarted, events) == [(GRACE_S, 2)]
        assert of(ChildStarted, events, "root/b") == [(GRACE_S, 2)]


async def test_stuck_in_its_end() -> None:
    """The limit is one for on_stop, too."""
    release = trio.Event()

    class Slow(Deaf):
        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            await self.hang()

    sup = Supervisor(ChildSpec("deaf", partial(Slow, release), name=DEAF), kill_grace=GRACE_S)
    async with releasing(sup, release) as tree:
        events = events_of(tree)
        whereis(DEAF).cast(Deaf.nap, -1)
        await trio.sleep(REPLACED_AT + 1)
        assert of(ChildStuck, events) == [(REPLACED_AT, 1)]
        assert of(ChildStarted, events) == [(REPLACED_AT, 2)]


async def test_stuck_in_its_start() -> None:
    """A start that hangs behind a shield has failed; being ready later is no news."""
    release, after = trio.Event(), list[str]()

    class Slow(Deaf):
        async def on_start(self) -> None:
            await self.hang()
            after.append("on_start")

    sup = DynamicSupervisor(kill_grace=GRACE_S)
    async with releasing(Supervisor(ChildSpec("sup", lambda: sup)), release) as tree:
        events = events_of(tree)
        with pytest.raises(StartFailed, match="hung: on_start"):
            await sup.start_child(ChildSpec("slow", partial(Slow, release)))
        assert trio.current_time() == REPLACED_AT
        release.set()
        await settle()
        assert after == ["on_start"]
        assert of(ChildStarted, events, "root/sup/slow") == []
        assert sup.which_children() == []


async def test_a_supervisor_above_a_stuck_child() -> None:
    """Killed, it is replaced like any other; leaving late, it lets its successor's children be."""
    release, lives = trio.Event(), list[int]()

    def make() -> Supervisor:
        return Supervisor(ChildSpec("deaf", task(_sleep_deaf_at_first, release, lives)))

    root = Supervisor(ChildSpec("sup", make), kill_grace=GRACE_S)
    async with releasing(root, release) as tree:
        events = events_of(tree)
        root.which_children()[0].ref.kill()
        await trio.sleep(GRACE_S + 1)
        assert of(ChildStuck, events, "root/sup") == [(GRACE_S, 1)]
        before = tree.snapshot()
        assert before.children[0].children[0].state == "running"
        assert lives == [1, 2]
        release.set()
        await settle()
        after = tree.snapshot()
        assert _without_exits(after) == _without_exits(before)
        # All that has changed: it is known now how the first one ended.
        assert [past.incarnation for past in after.children[0].children[0].exits] == [1]


def _without_exits(node: NodeSnapshot) -> NodeSnapshot:
    children = tuple(map(_without_exits, node.children))
    return attrs.evolve(node, exits=(), children=children)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
async def test_a_limit_must_leave_time(limit: float) -> None:
    """Checked when the actor starts, as its mailbox is."""

    class Hasty(Actor):
        max_handler_time = limit

    with pytest.raises(StartFailed) as caught:
        async with running(Supervisor(ChildSpec("hasty", Hasty))):
            pass
    assert isinstance(caught.value.root_cause, InvalidSpec)
