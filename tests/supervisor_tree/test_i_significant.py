"""Group I: supervisors that end with their significant children."""

from functools import partial
from typing import Any

import pytest

from supervisor_tree import (
    ActorRef,
    AutoShutdown,
    Backoff,
    ChildSpec,
    ChildState,
    DynamicSupervisor,
    ExitKind,
    InvalidSpec,
    Restart,
    Strategy,
    Supervisor,
)
from supervisor_tree.testing import Recorders, running, settle

WAYS = ["finish", "quit", "crash"]
ANY, ALL = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT


def significant(cast: Recorders, child_id: str, restart: Restart) -> ChildSpec:
    """Make the spec of a significant child."""
    return cast.spec(child_id, restart=restart, significant=True)


def is_up(tree: Any) -> bool:
    """Whether the root still runs."""
    return bool(tree.root.state is ChildState.RUNNING)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("restart", list(Restart))
@pytest.mark.parametrize("mode", list(AutoShutdown))
async def test_c091_nonsignificant_child(
    cast: Recorders, mode: AutoShutdown, restart: Restart, way: str
) -> None:
    """A child that is not significant never ends its supervisor."""
    sup = Supervisor(cast.spec("a", restart=restart), auto_shutdown=mode)
    async with running(sup) as tree:
        getattr(cast, way)("a")
        await settle()
        assert is_up(tree)
        if restart is Restart.PERMANENT:
            await sup.terminate_child("a")
            await settle()
            assert is_up(tree)


async def test_c092_significant_bystander(cast: Recorders) -> None:
    """A significant child that is stopped with its group does not end the supervisor."""
    sup = Supervisor(
        cast.spec("p"),
        significant(cast, "t", Restart.TEMPORARY),
        strategy=Strategy.ONE_FOR_ALL,
        auto_shutdown=ANY,
    )
    async with running(sup) as tree:
        cast.crash("p")
        await settle()
        assert is_up(tree)
        assert [child.id for child in sup.which_children()] == ["p"]


@pytest.mark.parametrize("way", [*WAYS, "kill"])
async def test_c093_significant_temporary_child(cast: Recorders, way: str) -> None:
    """However a significant temporary child ends, all are stopped, and that is a normal end."""
    sup = Supervisor(
        cast.spec("a"), significant(cast, "t", Restart.TEMPORARY), cast.spec("z"), auto_shutdown=ANY
    )
    async with running(sup) as tree:
        root: ActorRef[Any] = tree.root.ref()
        if way == "kill":
            sup.which_children()[1].ref.kill()
        else:
            getattr(cast, way)("t")
        assert (await root.wait_exit()).error is None
        assert cast.log[3:] == [("-", "t"), ("-", "z"), ("-", "a")]


async def test_c093_terminate_child_does_not_trigger(cast: Recorders) -> None:
    """A significant child that is terminated by request does not end the supervisor."""
    sup = Supervisor(significant(cast, "t", Restart.TEMPORARY), auto_shutdown=ANY)
    async with running(sup) as tree:
        await sup.terminate_child("t")
        await settle()
        assert is_up(tree)


@pytest.mark.parametrize(("way", "ends"), [("finish", True), ("quit", True), ("crash", False)])
async def test_c094_significant_transient_child(cast: Recorders, way: str, *, ends: bool) -> None:
    """A significant transient child ends its supervisor only when it ends well."""
    sup = Supervisor(significant(cast, "t", Restart.TRANSIENT), auto_shutdown=ANY)
    async with running(sup) as tree:
        getattr(cast, way)("t")
        await settle()
        assert is_up(tree) is not ends


async def test_c095_all_significant(cast: Recorders) -> None:
    """Under ALL_SIGNIFICANT only the last one that is active ends the supervisor."""
    sup = Supervisor(
        significant(cast, "a", Restart.TEMPORARY),
        significant(cast, "b", Restart.TRANSIENT),
        significant(cast, "c", Restart.TRANSIENT),
        cast.spec("p"),
        auto_shutdown=ALL,
    )
    async with running(sup) as tree:
        cast.crash("a")
        await settle()
        assert is_up(tree)
        await sup.terminate_child("b")
        assert is_up(tree)
        cast.finish("c")
        await settle()
        assert not is_up(tree)


async def test_c095_restarting_children_are_waited_for(cast: Recorders) -> None:
    """A significant child that is being restarted counts as active."""
    slow = Backoff(initial=10, maximum=10, jitter=0)
    sup = Supervisor(
        significant(cast, "a", Restart.TRANSIENT),
        cast.spec("b", restart=Restart.TRANSIENT, significant=True, backoff=slow),
        auto_shutdown=ALL,
    )
    async with running(sup) as tree:
        cast.crash("b")
        await settle()
        cast.crash("b")
        await settle()
        assert sup.which_children()[1].state is ChildState.RESTARTING
        cast.finish("a")
        await settle()
        assert is_up(tree)


def test_c096_dynamic_supervisors_have_no_significant_children() -> None:
    """Only static supervisors end with their children."""
    with pytest.raises(TypeError):
        DynamicSupervisor(auto_shutdown=ANY)  # type: ignore[call-arg]


@pytest.mark.parametrize("outer_significant", [True, False])
async def test_c097_auto_shutdown_is_a_good_end_for_the_parent(
    cast: Recorders, *, outer_significant: bool
) -> None:
    """The end of an inner supervisor ends the outer one, if the inner one is significant."""
    inner = ChildSpec(
        "inner",
        partial(Supervisor, significant(cast, "w", Restart.TEMPORARY), auto_shutdown=ANY),
        restart=Restart.TRANSIENT,
        significant=outer_significant,
    )
    sup = Supervisor(inner, cast.spec("other"), auto_shutdown=ANY)
    async with running(sup) as tree:
        ref = sup.which_children()[0].ref
        cast.finish("w")
        assert (await ref.wait_exit()).kind is ExitKind.SHUTDOWN
        await settle()
        assert is_up(tree) is not outer_significant


def test_c098_impossible_combinations() -> None:
    """A permanent child cannot be significant, nor any child of a supervisor that never ends."""
    with pytest.raises(InvalidSpec):
        ChildSpec("a", Supervisor, significant=True)
    spec = ChildSpec("a", Supervisor, restart=Restart.TEMPORARY, significant=True)
    with pytest.raises(InvalidSpec):
        Supervisor(spec)


async def test_c098_impossible_combinations_at_start_child(cast: Recorders) -> None:
    """The same is checked when a child is added."""
    sup = Supervisor()
    async with running(sup):
        with pytest.raises(InvalidSpec):
            await sup.start_child(significant(cast, "a", Restart.TEMPORARY))
        assert sup.which_children() == []
