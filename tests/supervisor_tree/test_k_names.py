"""Group K: names in a tree, and registries."""

import gc
import weakref
from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorRef,
    AlreadyRegistered,
    ChildSpec,
    ChildState,
    DeadLetter,
    DynamicSupervisor,
    Name,
    NoProc,
    Registry,
    Restart,
    StartFailed,
    Supervisor,
    open_tree,
    whereis,
)
from supervisor_tree.testing import Recorders, crash, events_of, running, settle


class Member(Actor):
    """Registers keys."""

    def __init__(self, registry: Registry[str, int] | None = None) -> None:
        self.registry: Registry[str, int] = Registry() if registry is None else registry
        self.told: list[int] = []

    async def who(self) -> str:
        """Say where it is."""
        return f"{self.ctx.path} {self.ctx.incarnation}"

    async def register(self, key: str, value: int) -> None:
        """Register a key."""
        self.registry.register(key, value)

    async def unregister(self, key: str) -> None:
        """Give it up."""
        self.registry.unregister(key)

    async def increase(self, key: str) -> int:
        """Change the value of a key."""
        return self.registry.update_value(key, lambda value: value + 1)

    async def tell(self, value: int) -> None:
        """Be told something."""
        self.told.append(value)

    async def get_told(self) -> list[int]:
        """Say what it was told."""
        return self.told

    async def find(self) -> str:
        """Call itself a friend by name."""
        return await whereis(FRIEND).call(Member.who)


ME = Name[Member]("me")
FRIEND = Name[Member]("friend")


async def test_c102_second_owner_of_a_name() -> None:
    """A name that is taken makes the start fail; its owner does not notice."""
    sup = Supervisor(ChildSpec("a", Member, name=ME))
    async with running(sup):
        with pytest.raises(StartFailed) as caught:
            await sup.start_child(ChildSpec("b", Member, name=ME))
        clash = caught.value.__cause__
        assert isinstance(clash, AlreadyRegistered)
        assert await clash.existing.call(Member.who) == "root/a 1"
        assert await whereis(ME).call(Member.who) == "root/a 1"
        assert [child.id for child in sup.which_children()] == ["a"]


async def test_c103_unregistered_name() -> None:
    """A call to an unknown name fails at once, a cast is dropped and counted."""
    async with running(Supervisor()) as tree:
        events = events_of(tree)
        nobody = whereis(Name[Member]("nobody"))
        with pytest.raises(NoProc):
            await nobody.call(Member.who)
        nobody.cast(Member.tell, 1)
        assert nobody.state is ChildState.STOPPED
        assert tree.dead_letters == 1
        assert [event.path for event in events if isinstance(event, DeadLetter)] == ["nobody"]
        assert trio.current_time() == 0


def test_c103_whereis_outside_of_a_tree() -> None:
    """Outside of a tree there are no names."""
    with pytest.raises(NoProc):
        whereis(ME)


async def test_c104_name_is_free_when_the_exit_is_seen() -> None:
    """Whoever sees the end of the owner can take its name."""
    sup = Supervisor(ChildSpec("a", Member, name=ME, restart=Restart.TEMPORARY))
    async with running(sup):
        ref = sup.which_children()[0].ref
        ref.kill()
        await ref.wait_exit()
        await sup.start_child(ChildSpec("b", Member, name=ME))
        assert await whereis(ME).call(Member.who) == "root/b 1"


async def test_c104_restart_takes_the_name_again() -> None:
    """After a restart the name leads to the new incarnation."""
    sup = Supervisor(ChildSpec("a", Member, name=ME))
    async with running(sup):
        ref = whereis(ME)
        await crash(ref)
        assert await ref.call(Member.who) == "root/a 2"


def member(child_id: str, registry: Registry[str, int]) -> ChildSpec:
    """Make the spec of a member that shares a registry."""
    return ChildSpec(child_id, partial(Member, registry))


async def test_c105_unique_registry() -> None:
    """A unique key has one owner, who alone may change or drop it."""
    registry: Registry[str, int] = Registry()
    sup = Supervisor(member("a", registry), member("b", registry))
    async with running(sup):
        a, b = (child.ref for child in sup.which_children())
        await a.call(Member.register, "x", 1)
        await a.call(Member.register, "y", 2)
        assert sorted(registry.keys(a)) == ["x", "y"]
        assert registry.lookup("x") == [(a, 1)]
        assert registry.values("x") == [1]
        assert registry.count() == 2
        assert await a.call(Member.increase, "x") == 2
        await b.call(Member.unregister, "x")
        await b.call(Member.unregister, "absent")
        assert registry.lookup("x") == [(a, 2)]
        await a.call(Member.unregister, "x")
        assert registry.lookup("x") == []
        await b.call(Member.register, "x", 9)
        assert registry.lookup("x") == [(b, 9)]


async def test_c105_second_owner_of_a_key() -> None:
    """A key that is taken is refused; the one who tried crashes over it."""
    registry: Registry[str, int] = Registry()
    sup = Supervisor(member("a", registry), member("b", registry))
    async with running(sup):
        a, b = (child.ref for child in sup.which_children())
        await a.call(Member.register, "x", 1)
        b.cast(Member.register, "x", 2)
        error = (await b.wait_exit()).error
        assert isinstance(error, AlreadyRegistered)
        assert error.existing == a
        b.cast(Member.increase, "x")
        assert isinstance((await b.wait_exit()).error, AlreadyRegistered | KeyError)


async def test_c105_keys_vanish_with_their_incarnation() -> None:
    """The next incarnation starts without keys."""
    registry: Registry[str, int] = Registry()
    sup = Supervisor(member("a", registry))
    async with running(sup):
        a = sup.which_children()[0].ref
        await a.call(Member.register, "x", 1)
        await crash(a)
        assert registry.lookup("x") == []
        assert registry.keys(a) == []
        assert registry.count() == 0


def test_c105_only_children_own_keys() -> None:
    """Outside of a tree nobody can own a key."""
    with pytest.raises(NoProc):
        Registry[str, int]().register("x", 1)


async def test_c106_duplicate_keys() -> None:
    """Without uniqueness a key has many owners, and dispatch reaches those alive."""
    registry: Registry[str, int] = Registry(unique=False)
    sup = Supervisor(*(member(child_id, registry) for child_id in "abc"))
    async with running(sup):
        refs = [child.ref for child in sup.which_children()]
        for number, ref in enumerate(refs):
            await ref.call(Member.register, "x", number)
        await sup.terminate_child("b")
        registry.dispatch("x", lambda ref, value: ref.cast(Member.tell, value))
        assert await refs[0].call(Member.get_told) == [0]
        assert await refs[2].call(Member.get_told) == [2]


async def test_c109_trees_do_not_share_names() -> None:
    """Each tree has names of its own, and takes them with it."""
    ended: list[weakref.ref[Any]] = []
    async with open_tree(Supervisor(ChildSpec("a", Member, name=ME))) as outer:
        ended.append(weakref.ref(outer))
        async with open_tree(Supervisor(ChildSpec("b", Member))):
            with pytest.raises(NoProc):
                await whereis(ME).call(Member.who)
        assert await whereis(ME).call(Member.who) == "root/a 1"
    with pytest.raises(NoProc):
        whereis(ME)
    del outer
    gc.collect()
    assert ended[0]() is None


async def test_c110_reference_before_the_start() -> None:
    """A name can be asked for before anybody bears it."""
    sup = Supervisor(ChildSpec("seeker", Member))
    async with running(sup):
        friend = whereis(FRIEND)
        await sup.start_child(ChildSpec("friend", Member, name=FRIEND))
        assert await friend.call(Member.who) == "root/friend 1"
        assert await sup.which_children()[0].ref.call(Member.find) == "root/friend 1"


async def test_c110_names_of_dynamic_children(cast: Recorders) -> None:
    """A removed child takes its name with it."""
    sup = DynamicSupervisor()
    async with running(Supervisor(ChildSpec("d", lambda: sup), cast.spec("x"))) as tree:
        ref: ActorRef[Any] = await sup.start_child(ChildSpec("m", Member, name=ME))
        assert whereis(ME).state is ChildState.RUNNING
        await sup.terminate_child(ref)
        await settle()
        assert whereis(ME).state is ChildState.STOPPED
        assert tree.names == {}
