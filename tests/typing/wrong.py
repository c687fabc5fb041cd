"""Mistakes in the use of supervisor_tree that both mypy and pyright must report.

Rules of this file: it is checked by `make types` and never run; each mistake stands on a line of
its own and names the error expected of either checker. If one of them stops reporting a mistake,
its comment is unused, and that is an error.
"""

from functools import partial

from supervisor_tree import (
    ActorRef,
    Backoff,
    ChildExited,
    ChildSpec,
    ChildStarting,
    DynamicSupervisor,
    Event,
    Name,
    Registry,
    Reply,
    Restart,
    Supervisor,
    TaskHandle,
    TaskSupervisor,
    Tree,
    open_tree,
    run,
    task,
    whereis,
)
from tests.typing.subjects import POOL, Door, Gauge, Lease, LocalPool, Pool, look_up


async def calls(pool: ActorRef[Pool]) -> None:
    """A call that the handler would not take, or whose result is taken for something else."""
    await pool.call(Pool.checkout)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await pool.call(Pool.checkout, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call(Pool.checkout, "m", 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await pool.call(Pool.checkout, "m", n="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call(Pool.checkout, "m", n=2, timeout=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await pool.call(Pool.models, "m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await pool.call(Pool.give_back, "m")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call(Gauge.read)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call(LocalPool.load, "/m")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call(Pool.size)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call(Pool.complete, "once")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    await pool.call("checkout", "m")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    _text: str = await pool.call(Pool.checkout, "m")  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    _lease: Lease = pool.call(Pool.checkout, "m")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


async def messages_without_reply(pool: ActorRef[Pool]) -> None:
    """Cast and send check what they pass on, too."""
    pool.cast(Pool.checkout)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    pool.cast(Pool.checkout, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pool.cast(Pool.checkout, "m", m=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    pool.cast(Gauge.read)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pool.cast(Pool.size)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.cast(Pool.models)  # type: ignore[func-returns-value, misc]  # pyright: ignore[reportGeneralTypeIssues]
    await pool.send(Pool.checkout)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await pool.send(Pool.checkout, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.send(Gauge.read)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.send(Pool.size)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def deferred_calls(pool: ActorRef[Pool]) -> None:
    """A deferred call has the handler's parameters after the Reply, and the Reply's type."""
    await pool.call_deferred(Pool.complete)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await pool.call_deferred(Pool.complete, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call_deferred(Pool.complete, "once", tokens_max="8")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await pool.call_deferred(Pool.checkout, "m")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportArgumentType, reportCallIssue]
    _number: int = await pool.call_deferred(Pool.complete, "once")  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]


def references(pool: ActorRef[Pool]) -> ActorRef[LocalPool]:
    """A reference to a base class's actor is none to a subclass's."""
    return pool  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def replies(reply: Reply[str]) -> None:
    """A Reply takes one type of value, and exceptions."""
    reply.send(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    reply.send()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    reply.error("no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def names() -> None:
    """A name stands for one kind of service."""
    _gauge: ActorRef[Gauge] = whereis(POOL)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    whereis("pool")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await whereis(POOL).call(Gauge.read)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Name[Pool](1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def factories() -> None:
    """What makes no service, or not without arguments, cannot start a child."""
    ChildSpec("instance", Pool())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("no service", dict)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("wants a port", Door)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("coroutine function", look_up)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("lambda", lambda: 1)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]
    ChildSpec("partial", partial(Pool, "3"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("task", task(look_up, 1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("task", task(look_up))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChildSpec("task", task(Pool.size, Pool()))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec(1, Pool)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("pool")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def options(spec: ChildSpec) -> None:
    """The options of a child have names, and types that are no mere texts."""
    ChildSpec("pool", Pool, Restart.TEMPORARY)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChildSpec("pool", Pool, restart="temporary")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("pool", Pool, shutdown=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("pool", Pool, backoff=0.1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("pool", Pool, name="pool")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChildSpec("pool", Pool, max_restarts=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Backoff(0.1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    spec.restart = Restart.TEMPORARY  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    Restart.ALWAYS  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


async def supervisors(root: Supervisor) -> None:
    """A supervisor takes specs, and enums for its policy."""
    Supervisor(Pool)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Supervisor([ChildSpec("pool", Pool)])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Supervisor(ChildSpec("pool", Pool), strategy="one_for_all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Supervisor(max_restarts="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await root.start_child(Pool)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await root.terminate_child(ChildSpec("pool", Pool))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def dynamic_children(workers: DynamicSupervisor) -> None:
    """The reference to a dynamic child is one to what its factory makes."""
    DynamicSupervisor(ChildSpec("pool", Pool))  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    await workers.start_child(dict)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await workers.start_child(Door)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await workers.start_child(Pool())  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    _gauge: ActorRef[Gauge] = await workers.start_child(Pool)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    await (await workers.start_child(Pool)).call(Gauge.read)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await workers.terminate_child("pool")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def tasks(supervisor: TaskSupervisor) -> None:
    """A supervised function is given what it takes, and returns what it returns."""
    await supervisor.run_task(look_up)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await supervisor.run_task(look_up, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await supervisor.run_task(look_up, "key", shallow=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await supervisor.run_task(len, "key")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _text: str = await supervisor.run_task(look_up, "key")  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    _handle: TaskHandle[str] = await supervisor.start_task(look_up, "key")  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    await supervisor.start_task(look_up)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await supervisor.start_task(look_up, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await supervisor.start_task(look_up, "key", restart="temporary")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await supervisor.start_task(len, "key")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def registries(limits: Registry[str, int], pool: ActorRef[Pool]) -> None:
    """A registry takes keys of one type and values of another."""
    limits.register(1, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    limits.register("model", "4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    limits.lookup(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    limits.keys("model")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _numbers: list[int] = limits.keys(pool)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    Registry[str, int](False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def events(event: Event) -> None:
    """An event has the fields of its own kind only, and is not changed."""
    event.exit  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    if isinstance(event, ChildStarting):
        event.elapsed  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    if isinstance(event, ChildExited):
        event.exit = event.exit  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def trees(root: Supervisor) -> None:
    """A tree has a supervisor at its root, and is opened with `async with`."""
    open_tree(ChildSpec("pool", Pool))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    open_tree(Pool())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with open_tree(root):  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
    run(root, signals=15)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with open_tree(root) as tree:
        _not_a_tree: Supervisor = tree  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        async for event in tree.events():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
            del event


def hooks(tree: Tree) -> None:
    """A hook takes every kind of event, not one of them."""

    def started_only(event: ChildStarting) -> None:
        del event

    tree.add_hook(started_only)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
