"""Uses of supervisor_tree that must pass mypy and pyright, and what both must infer from them.

Rules of this file: it is checked by `make types` and never run; whatever has a type worth promising
stands in an `assert_type`, which both checkers compare exactly.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, assert_never, assert_type

import trio

from supervisor_tree import (
    BRUTAL_KILL,
    Actor,
    ActorRef,
    AutoShutdown,
    Backoff,
    ChildExited,
    ChildInfo,
    ChildSpec,
    ChildStarted,
    ChildStarting,
    ChildState,
    ChildStuck,
    Counts,
    DeadLetter,
    DynamicSupervisor,
    Escalated,
    Event,
    EventStream,
    Exit,
    ExitKind,
    MailboxFullEvent,
    Monitor,
    Name,
    NodeSnapshot,
    Registry,
    Reply,
    Restart,
    RestartIntensityExceeded,
    RestartScheduled,
    Service,
    ShutdownError,
    StartError,
    StartFailed,
    StopRequested,
    Strategy,
    Supervisor,
    TaskHandle,
    TaskSupervisor,
    Timer,
    Tree,
    open_tree,
    run,
    started_task,
    task,
    whereis,
)
from tests.typing.subjects import POOL, Door, Gauge, Lease, LocalPool, Pool, listen, look_up


async def calls(pool: ActorRef[Pool]) -> None:
    """A call has the handler's parameters and returns what the handler returns."""
    assert_type(await pool.call(Pool.checkout, "m"), Lease)
    assert_type(await pool.call(Pool.checkout, "m", n=2), Lease)
    assert_type(await pool.call(Pool.checkout, model="m", n=2), Lease)
    assert_type(await pool.call(Pool.models), Sequence[str])
    await pool.call(Pool.give_back)
    await pool.call(Pool.give_back, Lease("m"), Lease("n"))
    with trio.fail_after(1):
        assert_type(await pool.pinned().call(Pool.models), Sequence[str])


async def messages_without_reply(pool: ActorRef[Pool]) -> None:
    """Cast and send have the handler's parameters, and drop its result."""
    pool.cast(Pool.checkout, "m", n=2)
    pool.cast(Pool.give_back, Lease("m"))
    await pool.send(Pool.checkout, "m", n=2)
    await pool.send(Pool.models)


async def deferred_calls(pool: ActorRef[Pool]) -> None:
    """The Reply parameter is filled in by the actor, and its type is that of the result."""
    assert_type(await pool.call_deferred(Pool.complete, "once"), str)
    assert_type(await pool.call_deferred(Pool.complete, "once", tokens_max=8), str)


async def inherited_handlers(local: ActorRef[LocalPool]) -> None:
    """An actor is called by its own handlers and by those of its base classes."""
    assert_type(await local.call(LocalPool.load, "/m"), bool)
    assert_type(await local.call(LocalPool.checkout, "m"), Lease)
    assert_type(await local.call(Pool.checkout, "m"), Lease)
    local.cast(Actor.handle_info, "anything")
    await calls(local)  # whoever can talk to a Pool can talk to a LocalPool


async def references(pool: ActorRef[Pool]) -> None:
    """What a reference tells besides passing messages on."""
    assert_type(pool.state, ChildState)
    assert_type(pool.pinned(), ActorRef[Pool])
    assert_type(await pool.wait_exit(), Exit)
    await pool.stop()
    pool.kill()


async def names() -> None:
    """A name knows what kind of service bears it."""
    assert_type(POOL, Name[Pool])
    assert_type(whereis(POOL), ActorRef[Pool])
    assert_type(await whereis(POOL).call(Pool.checkout, "m"), Lease)


def factories(store: dict[str, int]) -> tuple[ChildSpec, ...]:
    """Whatever makes services can start a child."""

    def make_pool() -> Pool:
        return Pool(3)

    async def count(counts: dict[str, int]) -> None:
        counts["ticks"] = counts.get("ticks", 0) + 1

    assert_type(task(look_up, "key", deep=True), Callable[[], Service])
    assert_type(started_task(listen, 8080), Callable[[], Service])
    return (
        ChildSpec("class", Pool),
        ChildSpec("function", make_pool),
        ChildSpec("lambda", lambda: Pool(3, models=["m"])),
        ChildSpec("partial", partial(Pool, 3, models=("m", "n"))),
        ChildSpec("no actor", partial(Door, 8080)),
        ChildSpec("task", task(count, store)),
        ChildSpec("task with result", task(look_up, "key", deep=True)),
        ChildSpec("started task", started_task(listen, 8080)),
        ChildSpec("trio's own", started_task(trio.serve_tcp, _talk, 8080)),
        ChildSpec("nested", partial(Supervisor, ChildSpec("leaf", Pool), max_restarts=0)),
        ChildSpec("nested lambda", lambda: Supervisor(strategy=Strategy.ONE_FOR_ALL)),
        ChildSpec("dynamic", partial(DynamicSupervisor, max_children=8)),
        ChildSpec("tasks", TaskSupervisor),
    )


async def _talk(stream: trio.SocketStream) -> None:
    await stream.send_all(b"")


def options() -> ChildSpec:
    """All that can be said about a child."""
    spec = ChildSpec(
        "pool",
        Pool,
        restart=Restart.TRANSIENT,
        shutdown=math.inf,
        start_timeout=1,
        significant=True,
        backoff=Backoff(initial=0.5, maximum=10, give_up_after=3),
        name=POOL,
    )
    assert_type(spec.id, str)
    assert_type(spec.shutdown, float)
    assert_type(spec.restart, Restart)
    assert_type(spec.backoff, Backoff | None)
    return ChildSpec("killed", Pool, shutdown=BRUTAL_KILL)


def restart_types(restart: Restart) -> bool:
    """A match on Restart is seen to be complete."""
    match restart:
        case Restart.PERMANENT | Restart.TRANSIENT:
            return True
        case Restart.TEMPORARY:
            return False
        case _:
            assert_never(restart)


def strategies(strategy: Strategy) -> str:
    """A match on Strategy is seen to be complete."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return "one"
        case Strategy.ONE_FOR_ALL:
            return "all"
        case Strategy.REST_FOR_ONE:
            return "rest"
        case _:
            assert_never(strategy)


async def supervisors(root: Supervisor) -> None:
    """Children whose kind only the spec knows are references to anything."""
    Supervisor(
        ChildSpec("a", Pool),
        strategy=Strategy.REST_FOR_ONE,
        max_restarts=5,
        max_seconds=60,
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
        kill_grace=1,
    )
    assert_type(await root.start_child(ChildSpec("b", Pool)), ActorRef[Any])
    assert_type(await root.restart_child("b"), ActorRef[Any])
    await root.terminate_child("b")
    await root.delete_child("b")
    assert_type(root.which_children(), list[ChildInfo])
    assert_type(root.count_children(), Counts)
    assert_type(root.get_childspec("a"), ChildSpec)


async def dynamic_children(workers: DynamicSupervisor) -> None:
    """A bare factory says what kind of child it starts; for a spec the variable does."""
    assert_type(await workers.start_child(Pool), ActorRef[Pool])
    assert_type(await workers.start_child(partial(Pool, 3)), ActorRef[Pool])
    assert_type(await workers.start_child(lambda: Pool(3)), ActorRef[Pool])
    assert_type(await workers.start_child(partial(Door, 8080)), ActorRef[Door])
    assert_type(await workers.start_child(task(look_up, "key")), ActorRef[Service])
    assert_type(await workers.start_child(ChildSpec("any", Pool)), ActorRef[Any])
    pool: ActorRef[Pool] = await workers.start_child(ChildSpec("pool", Pool))
    assert_type(await pool.call(Pool.checkout, "m"), Lease)
    assert_type(await (await workers.start_child(Gauge)).call(Gauge.read), float)
    await workers.terminate_child(pool)
    assert_type(workers.count_children(), Counts)


async def tasks(supervisor: TaskSupervisor) -> None:
    """A supervised function has its parameters and its result."""
    assert_type(await supervisor.run_task(look_up, "key"), int)
    assert_type(await supervisor.run_task(look_up, "key", deep=True), int)
    await supervisor.run_task(trio.sleep, 1)
    handle = await supervisor.start_task(look_up, "key", restart=Restart.TRANSIENT)
    assert_type(handle, TaskHandle[int])
    assert_type(await handle.wait(), int)
    assert_type(handle.ref, ActorRef[Any])
    assert_type(await supervisor.start_task(partial(look_up, "key", deep=True)), TaskHandle[int])


def registries(anybody: ActorRef[Any]) -> None:
    """A registry keeps its types of keys and of values apart."""
    limits = Registry[str, int](unique=False)
    limits.register("model", 4)
    assert_type(limits.lookup("model"), list[tuple[ActorRef[Any], int]])
    assert_type(limits.keys(anybody), list[str])
    for ref, limit in limits.lookup("model"):
        assert_type(ref, ActorRef[Any])
        assert_type(limit, int)


def narrowing(event: Event) -> str:
    """A match on Event narrows to each kind, and is seen to be complete."""
    assert_type(event.time, float)
    assert_type(event.path, str)
    assert_type(event.incarnation, int)
    match event:
        case ChildStarted(elapsed=elapsed):
            assert_type(elapsed, float)
        case ChildExited(exit=Exit(kind=ExitKind.CRASHED, error=error), uptime=uptime):
            assert_type(error, BaseException | None)
            assert_type(uptime, float)
        case ChildExited():
            assert_type(event.exit, Exit)
            assert_type(event.exit.kind, ExitKind)
        case RestartScheduled(delay=delay, attempt=attempt):
            assert_type(delay, float)
            assert_type(attempt, int)
        case StartError() | ShutdownError() | Escalated():
            assert_type(event.error, BaseException)
        case ChildStuck(stack=stack):
            assert_type(stack, str)
        case MailboxFullEvent(depth=depth):
            assert_type(depth, int)
        case DeadLetter(method=method, count=count):
            assert_type(method, str)
            assert_type(count, int)
        case ChildStarting() | StopRequested():
            return event.path
        case _:
            assert_never(event)
    return event.path


async def trees(root: Supervisor) -> None:
    """What there is to see of a running tree."""
    opened: AbstractAsyncContextManager[Tree] = open_tree(root)
    async with opened as tree:
        assert_type(tree, Tree)
        snapshot = tree.snapshot()
        assert_type(snapshot, NodeSnapshot)
        assert_type(snapshot.children, tuple[NodeSnapshot, ...])
        assert_type(snapshot.handler_age, float | None)
        tree.add_hook(narrowing_hook)
        async with tree.events(buffer=16) as events:
            assert_type(events, EventStream)
            async for event in events:
                assert_type(event, Event)
            assert_type(events.lost, int)
        tree.request_stop()
    run(root, abandon_after=10)


def narrowing_hook(event: Event) -> None:
    """Take events, as a hook does."""
    narrowing(event)


def failures(error: StartFailed | RestartIntensityExceeded) -> str:
    """An error carries what its reader needs."""
    if isinstance(error, StartFailed):
        assert_type(error.root_cause, BaseException)
        return error.child_id
    assert_type([failure.error for failure in error.history], list[BaseException | None])
    return error.supervisor


class Clerk(Actor):
    """An actor uses its own methods, bound or not, for what comes later."""

    async def on_start(self) -> None:
        """Be ready."""
        assert_type(self.nursery, trio.Nursery)
        assert_type(self.ctx.path, str)
        assert_type(self.ctx.last_exit, Exit | None)
        assert_type(self.ctx.tree, Tree)
        self.continue_with(Clerk.file, "first")
        assert_type(self.send_after(1, Clerk.file, "later"), Timer)
        assert_type(self.every(1, self.file, "again"), Timer)
        assert_type(self.monitor(whereis(POOL)), Monitor)

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        """Look at the end."""
        assert_type(exit.abnormal, bool)

    async def file(self, text: str) -> None:
        """Handle a message."""
        self.stop(text)

    async def ask(self, reply: Reply[Lease]) -> None:
        """Leave the answer to a helper."""
        self.nursery.start_soon(self._answer, reply)

    async def _answer(self, reply: Reply[Lease]) -> None:
        reply.send(await whereis(POOL).call(Pool.checkout, "m"))
