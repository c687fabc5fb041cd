"""Names that come and go: who is responsible for what, as long as it lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.errors import AlreadyRegistered, NoProc
from supervisor_tree.exit_reason import Exit
from supervisor_tree.incarnation import Incarnation, current_incarnation

K = TypeVar("K")
V = TypeVar("V")


@attrs.define(eq=False)
class _Entry(Generic[V]):
    owner: Incarnation
    value: V


class Registry(Generic[K, V]):
    """Maps keys to the children that registered them, and to a value of each.

    The owner is the child in which `register()` is called; its entries vanish when that
    incarnation ends. With `unique` (the default) a key has one owner at most. Pass the registry to
    the children that share it; it belongs to no tree and needs no task.
    """

    def __init__(self, *, unique: bool = True) -> None:
        self._unique = unique
        self._entries: dict[K, list[_Entry[V]]] = {}
        self._keys: dict[Incarnation, set[K]] = {}

    def register(self, key: K, value: V) -> None:
        """Register a key for the current child. Registering it again replaces the value.

        Errors: AlreadyRegistered if the registry is unique and somebody else owns the key; NoProc
        outside of a child.
        """
        owner = _current_owner()
        entries = self._entries.get(key, [])
        own = next((entry for entry in entries if entry.owner is owner), None)
        if own is not None:
            own.value = value
            return
        if self._unique and entries:
            raise AlreadyRegistered(key, entries[0].owner.slot.ref())
        self._entries[key] = [*entries, _Entry(owner, value)]
        if owner not in self._keys:
            self._keys[owner] = set()
            owner.watch(self, self._owner_ended)
        self._keys[owner].add(key)

    def unregister(self, key: K) -> None:
        """Give up a key of the current child; one that it does not own is left alone.

        Errors: NoProc outside of a child.
        """
        owner = _current_owner()
        if key in self._keys.get(owner, ()):
            self._keys[owner].discard(key)
            self._remove(key, owner)

    def update_value(self, key: K, update: Callable[[V], V]) -> V:
        """Change the value of an own key, and return the new one. Errors: KeyError, NoProc."""
        owner = _current_owner()
        for entry in self._entries.get(key, ()):
            if entry.owner is owner:
                entry.value = update(entry.value)
                return entry.value
        raise KeyError(key)

    def lookup(self, key: K) -> list[tuple[ActorRef[Any], V]]:
        """Find the owners of a key, and the value of each, oldest first."""
        return [(entry.owner.slot.ref(), entry.value) for entry in self._entries.get(key, ())]

    def values(self, key: K) -> list[V]:
        """Find the values of a key, oldest first."""
        return [entry.value for entry in self._entries.get(key, ())]

    def keys(self, ref: ActorRef[Any]) -> list[K]:
        """List the keys that the child now at `ref` owns, in no order."""
        incarnation = ref.latest()
        return [] if incarnation is None else list(self._keys.get(incarnation, ()))

    def count(self) -> int:
        """Count the entries."""
        return sum(map(len, self._entries.values()))

    def dispatch(self, key: K, tell: Callable[[ActorRef[Any], V], object]) -> None:
        """Call `tell` for every owner of a key; it must not wait, so it casts."""
        for ref, value in self.lookup(key):
            tell(ref, value)

    def _owner_ended(self, owner: Incarnation, _exit: Exit) -> None:
        for key in self._keys.pop(owner, ()):
            self._remove(key, owner)

    def _remove(self, key: K, owner: Incarnation) -> None:
        left = [entry for entry in self._entries[key] if entry.owner is not owner]
        if left:
            self._entries[key] = left
        else:
            del self._entries[key]


def _current_owner() -> Incarnation:
    owner = current_incarnation.get()
    if owner is None or not owner.is_alive:
        raise NoProc("only what runs below a supervisor can own a key")
    return owner
