"""Group M: what an actor does with its messages."""

from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    ChildSpec,
    ChildState,
    DeadLetter,
    Exit,
    ExitKind,
    Reply,
    ReplyError,
    Supervisor,
)
from supervisor_tree.testing import Boom, crash, events_of, running, settle


class NotThere(ReplyError):
    """An answer that is an error."""


class Counter(Actor):
    """Counts, and fails in every way."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.value = 0
        self.log: list[Any] = [] if log is None else log

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        self.log.append(("on_stop", exit.kind))

    async def add(self, amount: int) -> int:
        """Count on, and say how far."""
        self.value += amount
        self.log.append(("add", amount))
        return self.value

    async def slow_add(self, amount: int, delay: float) -> int:
        """Count after a while."""
        await trio.sleep(delay)
        return await self.add(amount)

    async def refuse(self) -> None:
        """Answer with an error."""
        raise NotThere("no")

    async def refuse_in_group(self) -> None:
        """Answer with an error out of a nursery."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.refuse)

    async def fail(self) -> None:
        """Crash."""
        raise Boom("in a handler")

    async def fail_twice(self) -> None:
        """Crash in two ways at once."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.fail)
            nursery.start_soon(self.refuse)

    async def later(self, reply: Reply[str], delay: float) -> None:
        """Answer from a helper task."""

        async def answer() -> None:
            await trio.sleep(delay)
            reply.send("later")

        self.nursery.start_soon(answer)

    async def finish(self) -> str:
        """Stop itself, but answer first."""
        self.stop()
        return "bye"


def counter_spec(log: list[Any] | None = None, **more: Any) -> ChildSpec:
    """One counter under the id `counter`."""
    return ChildSpec("counter", partial(Counter, log), **more)


def the_ref(sup: Supervisor, child_id: str = "counter") -> ActorRef[Counter]:
    """Look up the reference to a child."""
    return next(child.ref for child in sup.which_children() if child.id == child_id)


async def test_c115_call_returns_the_reply() -> None:
    """A call returns what the method returned, and messages of one sender keep their order."""
    log: list[Any] = []
    sup = Supervisor(counter_spec(log))
    async with running(sup):
        ref = the_ref(sup)
        ref.cast(Counter.add, 1)
        ref.cast(Counter.add, 2)
        assert await ref.call(Counter.add, 3) == 6
        assert log == [("add", 1), ("add", 2), ("add", 3)]


async def test_c115_handlers_run_one_at_a_time() -> None:
    """A handler that waits keeps the others waiting."""
    sup = Supervisor(counter_spec())
    async with running(sup):
        ref = the_ref(sup)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ref.call, Counter.slow_add, 1, 1.0)
        assert trio.current_time() == 3


class Doubler(Counter):
    """Overrides a handler."""

    async def add(self, amount: int) -> int:
        return await super().add(2 * amount)


async def test_c115_overridden_methods_are_called() -> None:
    """A method named by the base class is looked up in the actor's own class."""
    sup = Supervisor(ChildSpec("counter", Doubler))
    async with running(sup):
        assert await the_ref(sup).call(Counter.add, 2) == 4


@pytest.mark.parametrize("method", [Counter.refuse, Counter.refuse_in_group])
async def test_c116_reply_error_reaches_the_caller(method: Any) -> None:
    """A ReplyError is an answer: the actor lives and keeps its state."""
    sup = Supervisor(counter_spec())
    async with running(sup):
        ref = the_ref(sup)
        await ref.call(Counter.add, 5)
        with pytest.raises(NotThere):
            await ref.call(method)
        assert await ref.call(Counter.add, 0) == 5


async def test_c116_other_errors_crash_the_actor() -> None:
    """Any other exception ends the incarnation, and the caller learns why."""
    sup = Supervisor(counter_spec())
    async with running(sup):
        ref = the_ref(sup)
        await ref.call(Counter.add, 5)
        with pytest.raises(ActorDied) as caught:
            await ref.call(Counter.fail)
        assert isinstance(caught.value.__cause__, Boom)
        assert caught.value.exit.kind is ExitKind.CRASHED
        assert caught.value.incarnation == 1
        assert await ref.call(Counter.add, 0) == 0


class Lenient(Counter):
    """Answers with a built-in error."""

    reply_errors = (KeyError,)

    async def look_up(self) -> None:
        """Find nothing."""
        raise KeyError("x")


async def test_c116_reply_errors_of_the_class() -> None:
    """Errors listed by the class are answers, too."""
    sup = Supervisor(ChildSpec("counter", Lenient))
    async with running(sup):
        with pytest.raises(KeyError):
            await the_ref(sup).call(Lenient.look_up)  # type: ignore[arg-type]
        assert the_ref(sup).state is ChildState.RUNNING


async def test_c117_call_in_progress_fails_at_once() -> None:
    """The caller of a handler that is cut off does not wait."""
    sup = Supervisor(counter_spec())
    async with running(sup):
        ref = the_ref(sup)

        async def call() -> None:
            with pytest.raises(ActorDied):
                await ref.call(Counter.slow_add, 1, 1000)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await settle()
            crash(ref)
        assert trio.current_time() == 0


async def test_c118_queued_messages_die_with_the_incarnation() -> None:
    """Queued calls fail at once and are not replayed; queued casts are lost and counted."""
    log: list[Any] = []
    sup = Supervisor(counter_spec(log))
    async with running(sup) as tree:
        events = events_of(tree)
        ref = the_ref(sup)
        failed: list[str] = []

        async def call(method: Any, *args: Any) -> None:
            with pytest.raises(ActorDied):
                await ref.call(method, *args)
            failed.append(method.__name__)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, Counter.slow_add, 1, 1.0)
            await settle()
            ref.cast(Counter.fail)
            ref.cast(Counter.add, 1)
            ref.cast(Counter.add, 2)
            nursery.start_soon(call, Counter.add, 3)
            await settle()
            crash(ref)
        await settle()
        assert sorted(failed) == ["add", "slow_add"]
        assert not [entry for entry in log if entry[0] == "add"]
        assert await ref.call(Counter.add, 0) == 0
        lost = [event for event in events if isinstance(event, DeadLetter)]
        assert [(event.method, event.count) for event in lost] == [("fail", 3)]
        assert tree.dead_letters == 3


async def test_c116_several_errors_are_a_crash() -> None:
    """A reply error together with another error is no answer."""
    sup = Supervisor(counter_spec())
    async with running(sup):
        with pytest.raises(ActorDied) as caught:
            await the_ref(sup).call(Counter.fail_twice)
        assert isinstance(caught.value.__cause__, ExceptionGroup)
