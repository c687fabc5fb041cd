"""Group B: which children are restarted."""

import gc
import weakref
from collections.abc import Callable
from functools import partial

import pytest
import trio

from supervisor_tree import (
    Actor,
    AlreadyPresent,
    AlreadyStarted,
    ChildSpec,
    ChildState,
    Counts,
    Exit,
    ExitKind,
    Restart,
    Strategy,
    Supervisor,
    Tree,
    task,
)
from supervisor_tree.testing import Boom, Recorders, crash, running, settle

GOOD_ENDS = ["finish", "quit"]
FAILURES = ["crash", "kill"]
GROUPS = [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE]


def end(cast: Recorders, sup: Supervisor, way: str, child_id: str = "a") -> None:
    """End a child in one of four ways."""
    if way == "kill":
        next(child.ref for child in sup.which_children() if child.id == child_id).kill()
    else:
        getattr(cast, way)(child_id)


def one(cast: Recorders, restart: Restart, strategy: Strategy = Strategy.ONE_FOR_ONE) -> Supervisor:
    """Make a supervisor of one child, with two restarts to spend."""
    spec = cast.spec("a", restart=restart)
    return Supervisor(spec, strategy=strategy, max_restarts=2, max_seconds=3600)


@pytest.mark.parametrize("way", GOOD_ENDS + FAILURES)
async def test_c015_permanent(cast: Recorders, way: str) -> None:
    """A permanent child comes back, however it ended."""
    sup = one(cast, Restart.PERMANENT)
    async with running(sup) as tree:
        first = sup.which_children()[0].ref.pinned()
        end(cast, sup, way)
        kinds = {"finish": "NORMAL", "quit": "SHUTDOWN", "crash": "CRASHED", "kill": "KILLED"}
        assert (await first.wait_exit()).kind is ExitKind[kinds[way]]
        await settle()
        assert sup.count_children() == Counts(1, 1, 0, 1)
        assert tree.snapshot().children[0].incarnation == 2


@pytest.mark.parametrize("way", GOOD_ENDS)
async def test_c016_transient_good_end(cast: Recorders, way: str) -> None:
    """A transient child that ended well stays listed as stopped and can be started again."""
    sup = one(cast, Restart.TRANSIENT)
    async with running(sup):
        end(cast, sup, way)
        await settle()
        assert sup.count_children() == Counts(1, 0, 0, 1)
        assert sup.which_children()[0].state is ChildState.STOPPED
        await sup.restart_child("a")
        assert sup.count_children() == Counts(1, 1, 0, 1)


@pytest.mark.parametrize("way", FAILURES)
async def test_c016_transient_failure(cast: Recorders, way: str) -> None:
    """A transient child that failed comes back."""
    sup = one(cast, Restart.TRANSIENT)
    async with running(sup):
        end(cast, sup, way)
        await settle()
        assert sup.count_children() == Counts(1, 1, 0, 1)
        assert cast.began["a"] == 2


@pytest.mark.parametrize("way", GOOD_ENDS + FAILURES)
async def test_c017_temporary(cast: Recorders, way: str) -> None:
    """A temporary child is forgotten when it ends; its id is free again."""
    sup = one(cast, Restart.TEMPORARY)
    async with running(sup):
        end(cast, sup, way)
        await settle()
        assert sup.count_children() == Counts(0, 0, 0, 0)
        await sup.start_child(cast.spec("a", restart=Restart.TEMPORARY))
        assert sup.count_children() == Counts(1, 1, 0, 1)


@pytest.mark.parametrize("strategy", GROUPS)
async def test_c018_temporary_bystander(cast: Recorders, strategy: Strategy) -> None:
    """A temporary child stopped with its group does not come back."""
    sup = Supervisor(
        cast.spec("p"),
        cast.spec("t", restart=Restart.TEMPORARY),
        strategy=strategy,
        max_restarts=1,
        max_seconds=3600,
    )
    async with running(sup):
        cast.crash("p")
        await settle()
        assert [child.id for child in sup.which_children()] == ["p"]
        assert cast.log == [("+", "p"), ("+", "t"), ("-", "p"), ("-", "t"), ("+", "p")]


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("way", [*GOOD_ENDS, *FAILURES, "terminate"])
@pytest.mark.parametrize("restart", list(Restart))
async def test_c019_starting_the_same_spec_after_the_end(
    cast: Recorders, restart: Restart, way: str, strategy: Strategy
) -> None:
    """Whether an id is free again depends on the restart type and on the end."""
    sup = one(cast, restart, strategy)
    async with running(sup):
        spec = sup.get_childspec("a")
        if way == "terminate":
            await sup.terminate_child("a")
        else:
            end(cast, sup, way)
        await settle()
        comes_back = restart is Restart.PERMANENT or way in FAILURES
        if restart is Restart.TEMPORARY:
            await sup.start_child(spec)
        elif comes_back and way != "terminate":
            with pytest.raises(AlreadyStarted) as started:
                await sup.start_child(spec)
            assert started.value.ref.state is ChildState.RUNNING
        else:
            with pytest.raises(AlreadyPresent) as present:
                await sup.start_child(spec)
            assert present.value.ref.state is ChildState.STOPPED
            await sup.restart_child("a")
        assert sup.count_children().active == 1


class Big:
    """Something that would be missed in memory."""


async def hold(_big: Big) -> None:
    """Keep an argument until cancelled."""
    await trio.sleep_forever()


async def hold_and_fail(_big: Big, release: trio.Event) -> None:
    """Keep an argument until told to crash."""
    await release.wait()
    raise Boom


@pytest.mark.parametrize("way", ["terminate", "crash"])
async def test_c020_temporary_children_leave_nothing(way: str) -> None:
    """Neither the supervisor nor its history keeps the arguments of a temporary child."""
    sup = Supervisor(max_restarts=0)
    async with running(sup):
        alive: list[weakref.ref[Big]] = []
        for _ in range(2):
            big, release = Big(), trio.Event()
            alive.append(weakref.ref(big))
            factory = task(hold, big) if way == "terminate" else task(hold_and_fail, big, release)
            del big
            await sup.start_child(ChildSpec("t", factory, restart=Restart.TEMPORARY))
            del factory
            if way == "terminate":
                await sup.terminate_child("t")
            else:
                release.set()
            await settle()
            gc.collect()
        assert [ref() for ref in alive] == [None, None]


class Remembering(Actor):
    """Keeps what it was given, and what it made itself."""

    def __init__(self, given: list[str], seen: list[tuple[int, Exit | None, list[str]]]) -> None:
        self.given = given
        self.own: list[str] = []
        self.seen = seen

    async def on_start(self) -> None:
        self.seen.append((self.ctx.incarnation, self.ctx.last_exit, [*self.own]))
        self.own.append("touched")


async def test_c021_restart_builds_a_new_service() -> None:
    """Attributes do not survive; what was passed in is the same object."""
    made: list[Remembering] = []
    given: list[str] = []

    def make(build: Callable[[], Remembering]) -> Remembering:
        made.append(build())
        return made[-1]

    sup = Supervisor(ChildSpec("a", partial(make, partial(Remembering, given, []))))
    async with running(sup):
        await crash(sup.which_children()[0].ref)
        await settle()
        assert made[0] is not made[1]
        assert made[0].given is made[1].given is given
        assert [entry[2] for entry in made[1].seen] == [[], []]
        assert made[1].own == ["touched"]


async def test_c022_context_counts_incarnations() -> None:
    """The context tells which life this is, and how the last one ended."""
    seen: list[tuple[int, Exit | None, list[str]]] = []
    boom = Boom()
    sup = Supervisor(ChildSpec("a", partial(Remembering, [], seen)))
    async with running(sup) as tree:
        await crash(sup.which_children()[0].ref, boom)
        await settle()
        assert isinstance(tree, Tree)
    assert [entry[0] for entry in seen] == [1, 2]
    assert [entry[1] for entry in seen] == [None, Exit(ExitKind.CRASHED, boom)]
