"""The client keys: which there are, where they survive, and the table that the doors look into."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.known_client_keys import KnownKeys
from cortexd.actors.new_client_key import KeyWishes, NewKey, new_key
from cortexd.actors.published import Published
from cortexd.cluster_ports import SharedClientKeys
from cortexd.domain.client_key import (
    ClientKey,
    ClientKeyId,
    Instant,
    KeyRecords,
    KeyState,
)
from cortexd.domain.errors import SharedStoreFailed, StorageFailed
from cortexd.domain.events import ClientKeyChanged, Emit
from cortexd.domain.secret import Secret
from cortexd.policy.client_keys import HeldKey, KeyTable
from cortexd.policy.rate_limit import LimitSettings
from cortexd.ports import ClientKeyStore
from supervisor_tree import Actor, Name, Reply, ReplyError

LOAD_S_MAX: Final = 2.0
TICK_S: Final = 1.0
"""How soon keys that could not be read, or a revocation that could not be kept, are tried again."""

SHARE_S: Final = 0.5
"""How soon a node hears what others tell; a revocation is to hold everywhere within a second."""

NOTE_USES_S: Final = 60.0

KEYS_MAX: Final = 10_000
"""More than a node has clients."""


class ClientKeyNotFound(ReplyError):
    """There is no key of this id."""


class TooManyClientKeys(ReplyError):
    """There are as many as a node keeps."""


@attrs.frozen(kw_only=True)
class ClientKeyParts:
    """What the actor needs, all of which outlives it.

    `configured` gives the keys and limits of the configuration as they are now. `shared`: where
    the nodes of a cluster tell each other of theirs; `None` where there are no others.
    """

    table: Published[KeyTable]
    store: ClientKeyStore
    configured: Callable[[], tuple[Sequence[ClientKey], LimitSettings]]
    pepper: Secret
    wall_clock: Callable[[], float]
    emit: Emit
    shared: SharedClientKeys | None = None


class ClientKeys(Actor):
    """Owns the table. The doors only read it, so nobody waits for this actor, alive or not.

    Its handlers never wait for the disk: a key that is revoked while another is being kept opens
    nothing at once. Nor for other nodes: what they have not been told is told when they are there,
    and what they tell is kept here as well, so that it holds without them.
    """

    max_handler_time = HANDLER_S_MAX

    def __init__(self, parts: ClientKeyParts) -> None:
        self._parts = parts
        self._known = KnownKeys(parts.table.value)
        self._news = trio.Event()

    async def on_start(self) -> None:
        """Read what is kept, if the disk answers soon, and publish."""
        with trio.move_on_after(LOAD_S_MAX):
            await self._load()
        self._publish()
        self.nursery.start_soon(self._keep_up)
        if self._parts.shared is not None:
            self.nursery.start_soon(self._share, self._parts.shared)

    async def refresh(self) -> None:
        """Take over what the configuration says now."""
        self._publish()

    async def list(self) -> tuple[HeldKey, ...]:
        """All keys, those of the configuration first."""
        return tuple(self._parts.table.value.keys.values())

    async def create(self, reply: Reply[NewKey], wishes: KeyWishes) -> None:
        """Make a key, and answer with it once it is kept and opens doors.

        Answers with `StorageFailed` if it could not be kept, and then there is none, or with
        `TooManyClientKeys`.
        """
        parts = self._parts
        keys = parts.table.value.keys
        if len(keys) >= KEYS_MAX:
            raise TooManyClientKeys(f"there are {KEYS_MAX} keys; a node keeps no more")
        new = new_key(wishes, taken=keys, pepper=parts.pepper, now=parts.wall_clock())
        self.nursery.start_soon(self._create, reply, new)

    async def revoke(self, reply: Reply[HeldKey], key_id: ClientKeyId) -> None:
        """Have a key open nothing any more, from now on, and answer once that is kept.

        Answers with `StorageFailed` if it could not be kept; the key opens nothing all the same,
        and it is tried again. Raises `ClientKeyNotFound`.
        """
        held = self._parts.table.value.keys.get(key_id)
        if held is None:
            raise ClientKeyNotFound(f"there is no key '{key_id}'")
        if key_id not in self._known.revoked_at:
            self._known.revoke(key_id, Instant(self._parts.wall_clock()))
            self._publish()
            self._tell(key_id, KeyState.REVOKED)
            self._news.set()
        self.nursery.start_soon(self._revoke, reply, key_id)

    async def _create(self, reply: Reply[NewKey], new: NewKey) -> None:
        try:
            await self._parts.store.add(new.key)
        except StorageFailed as error:
            reply.error(error)
            return
        self._known.add(new.key)
        self._publish()
        self._tell(new.key.id, KeyState.ACTIVE)
        self._news.set()
        reply.send(new)

    async def _revoke(self, reply: Reply[HeldKey], key_id: ClientKeyId) -> None:
        try:
            await self._keep_revocation(key_id)
        except StorageFailed as error:
            reply.error(error)
        else:
            reply.send(self._parts.table.value.keys[key_id])

    async def _keep_revocation(self, key_id: ClientKeyId) -> None:
        known = self._known
        if key_id in known.unkept_revocations:
            await self._parts.store.revoke(key_id, known.revoked_at[key_id])
            known.unkept_revocations.discard(key_id)

    async def _keep_up(self) -> None:
        """Do what is due, and again what the disk has refused."""
        known, uses_due_at = self._known, trio.current_time() + NOTE_USES_S
        while True:
            await trio.sleep(TICK_S)
            try:
                if not known.is_complete and await self._load():
                    self._publish()
                for key_id in tuple(known.unkept_revocations):
                    await self._keep_revocation(key_id)
                if trio.current_time() >= uses_due_at:
                    uses_due_at = trio.current_time() + NOTE_USES_S
                    await self._note_uses()
                for key in tuple(known.unkept_keys.values()):
                    await self._parts.store.add(key)
                    del known.unkept_keys[key.id]
            except StorageFailed:
                continue  # the database itself reports what is wrong with it

    async def _share(self, shared: SharedClientKeys) -> None:
        """Hear what others have done, and tell what was done here, twice a second and at once."""
        version, told = None, KeyRecords()
        while True:
            try:
                heard = await shared.changed_since(version)
                if heard is not None:
                    version, told = heard
                    self._take_over(told.beyond(self._known.records))
                # Also what others have told, and Redis has lost since.
                if news := self._known.records.beyond(told):
                    await shared.tell(news)
            except SharedStoreFailed:
                pass  # tried again, as long as it takes
            with trio.move_on_after(SHARE_S):
                await self._news.wait()
            self._news = trio.Event()

    def _take_over(self, news: KeyRecords) -> None:
        """Have what other nodes have done hold here, and be kept here."""
        if not news:
            return
        room = max(0, KEYS_MAX - len(self._parts.table.value.keys))
        taken = self._known.take_over(news, room=room)
        self._publish()
        for key_id in taken.created:
            self._tell(key_id, KeyState.ACTIVE)
        for key_id in taken.revoked_at:
            self._tell(key_id, KeyState.REVOKED)

    async def _load(self) -> bool:
        """Read what is kept; false if it cannot be read, or is not all of it."""
        try:
            kept = await self._parts.store.load()
        except StorageFailed:
            return False
        self._known.take_kept(kept, is_alone=self._parts.shared is None)
        return kept.is_whole

    async def _note_uses(self) -> None:
        uses = self._known.unnoted_uses(self._parts.table.value.keys)
        if uses:
            await self._parts.store.note_uses(uses)
            self._known.note(uses)

    def _publish(self) -> None:
        """Swap the table for one of what is configured and kept."""
        table = self._parts.table
        table.publish(self._known.table(*self._parts.configured(), table.value))

    def _tell(self, key_id: ClientKeyId, state: KeyState) -> None:
        self._parts.emit(ClientKeyChanged(key_id=key_id, state=state.value))


CLIENT_KEYS = Name[ClientKeys]("client-keys")
