"""Workers that are taken out, and replaced, while they are in use."""

import trio

from cortexd.actors.worker_registry import WORKER_REGISTRY, RosterChange, WorkerRegistry
from cortexd.domain.events import WorkerRegistered, WorkerUnregistered
from cortexd.domain.ids import NOBODY, WorkerName
from supervisor_tree import open_tree, whereis
from supervisor_tree.testing import crash, settle
from tests.actors.conftest import Branch, Patient


def _names(branch: Branch) -> list[str]:
    return [worker.name for worker in branch.roster.value]


async def test_an_adapter_is_closed_when_the_last_request_has_ended(branch: Branch) -> None:
    """The worker is out of the roster at once, and let go when nobody uses it any more."""
    closed = branch.patients["a"].closed
    (worker, _) = branch.roster.value
    async with open_tree(branch.tree), trio.open_nursery() as nursery:

        async def use_it(seconds: float) -> None:
            async with worker.slots.lease(NOBODY):
                await trio.sleep(seconds)

        nursery.start_soon(use_it, 10.0)
        nursery.start_soon(use_it, 20.0)
        await settle()
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.unregister, WorkerName("a"))
        assert _names(branch) == ["b"]
        assert [leaver is worker for leaver in branch.leaving.value] == [True]
        await trio.sleep(15)
        assert closed == []
        await trio.sleep(6)
        assert len(closed) == 1
        assert branch.leaving.value == ()


async def test_a_request_that_never_ends_holds_nobody_for_ever(branch: Branch) -> None:
    """After the time of the longest answer the adapter is closed."""
    closed = branch.patients["a"].closed
    (worker, _) = branch.roster.value
    async with open_tree(branch.tree), trio.open_nursery() as nursery:

        async def use_it() -> None:
            async with worker.slots.lease(NOBODY):
                await trio.sleep_forever()

        nursery.start_soon(use_it)
        await settle()
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.unregister, WorkerName("a"))
        await trio.sleep(worker.settings.total_seconds - 1)
        assert closed == []
        await trio.sleep(2)
        assert len(closed) == 1
        nursery.cancel_scope.cancel()


async def test_a_crash_of_the_registry_loses_no_leaver(branch: Branch) -> None:
    """The next incarnation sees it off."""
    closed = branch.patients["a"].closed
    (worker, _) = branch.roster.value
    async with open_tree(branch.tree), trio.open_nursery() as nursery:

        async def use_it() -> None:
            async with worker.slots.lease(NOBODY):
                await trio.sleep(30)

        nursery.start_soon(use_it)
        await settle()
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.unregister, WorkerName("a"))
        await crash(whereis(WORKER_REGISTRY))
        await trio.sleep(25)
        assert closed == []
        await trio.sleep(10)
        assert len(closed) == 1


async def test_a_replaced_worker_keeps_its_place_and_whether_it_is_active(branch: Branch) -> None:
    """One step: nobody sees a roster without either of them."""
    closed = branch.patients["a"].closed
    old, _ = branch.roster.value
    new = branch.hire("a")
    async with open_tree(branch.tree):
        registry = whereis(WORKER_REGISTRY)
        await registry.call(WorkerRegistry.deactivate, WorkerName("a"))
        change = RosterChange(leavers=(WorkerName("b"),), newcomers=(new, branch.hire("c")))
        await registry.call(WorkerRegistry.change, change)

        first, second = branch.roster.value
        assert (first.provider, first.is_active) == (new.provider, False)
        assert (second.name, second.is_active) == ("c", True)
        assert first.provider is not old.provider
        await settle()
        assert len(closed) == 1

    told = [event for event in branch.events if isinstance(event, WorkerUnregistered)]
    assert [event.worker for event in told] == ["a", "b"]
    told_in = [event for event in branch.events if isinstance(event, WorkerRegistered)]
    assert [event.worker for event in told_in] == ["a", "c"]


async def test_the_probe_of_a_predecessor_says_nothing_of_the_successor(branch: Branch) -> None:
    """It was about another server."""
    old: Patient = branch.patients["a"]
    old.answers_after_s = 3.0
    old.failure = "the old one is ill"
    async with open_tree(branch.tree):
        await trio.sleep(1)
        new = branch.hire("a")
        change = RosterChange(newcomers=(new,))
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.change, change)
        await trio.sleep(4)
        assert branch.status("a") == ("unknown", None)
        await trio.sleep(40)
        assert branch.status("a") == ("available", None)
