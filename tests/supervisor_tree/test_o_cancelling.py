"""Group O: trees that are cancelled, or whose body fails."""

from functools import partial

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    Actor,
    ChildSpec,
    Supervisor,
    open_tree,
)
from supervisor_tree.testing import (
    Boom,
    Recorders,
    Script,
    assert_no_tasks_left,
    crash,
)


async def test_open_tree_propagates_the_bodys_error(cast: Recorders) -> None:
    """An error of the body comes out bare, after the ordered stop."""
    boom = Boom()
    with pytest.raises(Boom) as caught:
        async with open_tree(Supervisor(*map(cast.spec, "ab"))):
            raise boom
    assert caught.value is boom
    assert cast.log[2:] == [("-", "b"), ("-", "a")]


async def test_open_tree_that_ends_by_itself(cast: Recorders) -> None:
    """A tree that ends in good order does not cancel the body."""
    sup = Supervisor(cast.spec("a"))
    async with open_tree(sup):
        sup.request_stop()
        await trio.sleep(5)
    assert trio.current_time() == 5


@pytest.mark.parametrize("delay", [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5])
async def test_cancel_sweep(cast: Recorders, delay: float) -> None:
    """Wherever a cancellation hits, the tree is stopped in order and nothing is left."""
    script = Script(init=1, cleanup=0.5)
    inner = ChildSpec("inner", partial(Supervisor, cast.spec("x", script), cast.spec("y", script)))
    sup = Supervisor(cast.spec("a", script), inner, cast.spec("z", script))
    with trio.move_on_after(delay):
        async with open_tree(sup):
            await trio.sleep(0.25)
            await crash(sup.which_children()[0].ref)
            await trio.sleep(10)
    assert_no_tasks_left()
    assert sum(1 if sign == "+" else -1 for sign, _ in cast.log) == 0


@pytest.mark.parametrize("checkpoints", range(0, 60, 3))
async def test_cancel_sweep_by_checkpoints(cast: Recorders, checkpoints: int) -> None:
    """The same for every few checkpoints of a start, a request, a crash and a call."""

    class Echo(Actor):
        async def echo(self) -> None:
            """Answer."""

    async def live() -> None:
        sup = Supervisor(cast.spec("a"), ChildSpec("echo", Echo), max_restarts=100)
        async with open_tree(sup):
            while True:
                await sup.start_child(cast.spec("b"))
                cast.crash("a")
                await sup.which_children()[1].ref.call(Echo.echo)
                await sup.terminate_child("b")
                await sup.delete_child("b")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(live)
        for _ in range(checkpoints):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert_no_tasks_left()
    assert sum(1 if sign == "+" else -1 for sign, _ in cast.log) == 0
