"""Group N: work that is done once."""

from contextvars import ContextVar
from typing import Any

import pytest
import trio

from supervisor_tree import (
    ChildSpec,
    MaxChildren,
    Restart,
    Supervisor,
    SupervisorDown,
    TaskFailed,
    TaskHandle,
    TaskSupervisor,
)
from supervisor_tree.testing import Boom, running, settle


def below(tasks: TaskSupervisor) -> Supervisor:
    """Make a root above a task supervisor."""
    return Supervisor(ChildSpec("tasks", lambda: tasks))


async def double(value: int, seconds: float = 1.0) -> int:
    """Take a while to double a number."""
    await trio.sleep(seconds)
    return 2 * value


async def fail(error: Exception) -> None:
    """Crash after a while."""
    await trio.sleep(1)
    raise error


async def test_c136_run_task_returns_the_result() -> None:
    """The caller gets the result, and the task is listed in the meantime."""
    tasks = TaskSupervisor()
    listed: list[str] = []

    async def look() -> None:
        await trio.sleep(0.5)
        listed.extend(child.id for child in tasks.which_children())

    async with running(below(tasks)), trio.open_nursery() as nursery:
        nursery.start_soon(look)
        assert await tasks.run_task(double, 21) == 42
        await settle()
        assert listed == ["double"]
        assert tasks.which_children() == []


async def test_c136_run_task_raises_the_original_exception() -> None:
    """The caller gets the very exception, and nobody else is hurt."""
    tasks = TaskSupervisor()
    boom = Boom()
    async with running(below(tasks)):
        with pytest.raises(Boom) as caught:
            await tasks.run_task(fail, boom)
        assert caught.value is boom
        assert await tasks.run_task(double, 1) == 2


async def test_c136_cancelled_caller_cancels_the_task() -> None:
    """A task does not outlive the caller that waits for it."""
    tasks = TaskSupervisor()
    ended: list[float] = []

    async def work() -> None:
        try:
            await trio.sleep(1000)
        finally:
            ended.append(trio.current_time())

    async with running(below(tasks)):
        with trio.move_on_after(3):
            await tasks.run_task(work)
        assert ended == [3]


async def test_c137_start_task_is_isolated() -> None:
    """A task that was started tells its result or failure to those who ask."""
    tasks = TaskSupervisor()
    boom = Boom()
    async with running(below(tasks)):
        good: TaskHandle[int] = await tasks.start_task(double, 4)
        bad: TaskHandle[None] = await tasks.start_task(fail, boom)
        with pytest.raises(TaskFailed) as caught:
            await bad.wait()
        assert caught.value.__cause__ is boom
        assert await good.wait() == 8
        assert await good.wait() == 8


async def test_c137_stop_of_the_supervisor() -> None:
    """Whoever waits for a task when its supervisor stops is told so."""
    tasks = TaskSupervisor()
    told: list[str] = []

    async def wait(way: str) -> None:
        try:
            if way == "run":
                await tasks.run_task(double, 1, 1000)
            else:
                await (await tasks.start_task(double, 1, 1000)).wait()
        except SupervisorDown:
            told.append(way)

    async with trio.open_nursery() as nursery, running(below(tasks)) as tree:
        nursery.start_soon(wait, "run")
        nursery.start_soon(wait, "start")
        await settle()
        tree.request_stop()
    assert sorted(told) == ["run", "start"]
    assert trio.current_time() == 0


async def test_c137_killed_task() -> None:
    """A task that is killed has failed."""
    tasks = TaskSupervisor()
    async with running(below(tasks)):
        handle: TaskHandle[Any] = await tasks.start_task(double, 1, 1000)
        handle.ref.kill()
        with pytest.raises(TaskFailed):
            await handle.wait()


async def test_c138_max_children() -> None:
    """There are no more tasks than allowed."""
    tasks = TaskSupervisor(max_children=1)
    async with running(below(tasks)):
        handle: TaskHandle[int] = await tasks.start_task(double, 1)
        with pytest.raises(MaxChildren):
            await tasks.run_task(double, 1)
        assert await handle.wait() == 2
        assert await tasks.run_task(double, 1) == 2


async def test_c138_restarted_task() -> None:
    """A task may be restarted; waiting for it means waiting for a run that succeeds."""
    tasks = TaskSupervisor()
    runs: list[int] = []

    async def second_time_lucky() -> str:
        runs.append(1)
        await trio.sleep(1)
        if len(runs) == 1:
            raise Boom
        return "done"

    async with running(below(tasks)):
        handle: TaskHandle[str] = await tasks.start_task(
            second_time_lucky, restart=Restart.TRANSIENT
        )
        assert await handle.wait() == "done"
        assert len(runs) == 2


WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


async def who() -> str:
    """Tell for whom this runs."""
    await trio.lowlevel.checkpoint()
    return WHO.get()


async def test_c140_context_of_the_caller() -> None:
    """A task that somebody waits for works in his context; one that is only started does not."""
    tasks = TaskSupervisor()
    async with running(below(tasks)):
        WHO.set("somebody")
        assert await tasks.run_task(who) == "somebody"
        handle: TaskHandle[str] = await tasks.start_task(who)
        assert await handle.wait() == "nobody"
