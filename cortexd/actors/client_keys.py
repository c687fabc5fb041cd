"""The client keys: which there are, where they survive, and the table that the doors look into."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

import attrs
import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.cluster_ports import SharedClientKeys
from cortexd.domain.client_key import (
    ID_ALPHABET,
    ID_CHARACTERS,
    SECRET_BYTES,
    ClientKey,
    ClientKeyId,
    Instant,
    KeyRecords,
    KeyScope,
    KeySource,
    KeyState,
    digest_of,
    read_key,
    write_key,
)
from cortexd.domain.criticality import Criticality
from cortexd.domain.errors import SharedStoreFailed, StorageFailed
from cortexd.domain.events import ClientKeyChanged, Emit
from cortexd.domain.secret import Secret
from cortexd.policy.client_keys import HeldKey, KeyTable, key_table
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
class KeyWishes:
    """What a new key is to be like; see `ClientKey`. `expires_in_s` counts from now."""

    name: str = ""
    criticality: Criticality = Criticality.NORMAL
    scope: KeyScope = KeyScope.CHAT
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    expires_in_s: float | None = None


@attrs.frozen(kw_only=True)
class NewKey:
    """A key that has just been made; `text` is shown once and kept nowhere."""

    key: ClientKey
    text: Secret


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
        # What the table before knew: the disk may not answer now, and it may not have kept all.
        known = [held.key for held in parts.table.value.keys.values()]
        self._created = [key for key in known if key.source is KeySource.CREATED]
        self._revoked_at = {key.id: key.revoked_at for key in known if key.revoked_at is not None}
        self._unkept = set(self._revoked_at)
        self._unkept_keys: dict[ClientKeyId, ClientKey] = {}
        self._news = trio.Event()
        self._is_complete = parts.table.value.is_complete
        self._last_used_at: Mapping[ClientKeyId, Instant] = {}
        self._noted: dict[ClientKeyId, Instant] = {}

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
        if len(self._parts.table.value.keys) >= KEYS_MAX:
            raise TooManyClientKeys(f"there are {KEYS_MAX} keys; a node keeps no more")
        self.nursery.start_soon(self._create, reply, self._make(wishes))

    async def revoke(self, reply: Reply[HeldKey], key_id: ClientKeyId) -> None:
        """Have a key open nothing any more, from now on, and answer once that is kept.

        Answers with `StorageFailed` if it could not be kept; the key opens nothing all the same,
        and it is tried again. Raises `ClientKeyNotFound`.
        """
        held = self._parts.table.value.keys.get(key_id)
        if held is None:
            raise ClientKeyNotFound(f"there is no key '{key_id}'")
        if key_id not in self._revoked_at:
            self._revoked_at[key_id] = Instant(self._parts.wall_clock())
            self._unkept.add(key_id)
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
        self._created.append(new.key)
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
        if key_id in self._unkept:
            await self._parts.store.revoke(key_id, self._revoked_at[key_id])
            self._unkept.discard(key_id)

    async def _keep_up(self) -> None:
        """Do what is due, and again what the disk has refused."""
        uses_due_at = trio.current_time() + NOTE_USES_S
        while True:
            await trio.sleep(TICK_S)
            try:
                if not self._is_complete and await self._load():
                    self._publish()
                for key_id in tuple(self._unkept):
                    await self._keep_revocation(key_id)
                if trio.current_time() >= uses_due_at:
                    uses_due_at = trio.current_time() + NOTE_USES_S
                    await self._note_uses()
                for key in tuple(self._unkept_keys.values()):
                    await self._parts.store.add(key)
                    del self._unkept_keys[key.id]
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
                    self._take_over(told.beyond(self._records()))
                # Also what others have told, and Redis has lost since.
                if news := self._records().beyond(told):
                    await shared.tell(news)
            except SharedStoreFailed:
                pass  # tried again, as long as it takes
            with trio.move_on_after(SHARE_S):
                await self._news.wait()
            self._news = trio.Event()

    def _records(self) -> KeyRecords:
        """What this node knows that others may not."""
        return KeyRecords(
            created={key.id: key for key in self._created}, revoked_at=self._revoked_at
        )

    def _take_over(self, news: KeyRecords) -> None:
        """Have what other nodes have done hold here, and be kept here."""
        if not news:
            return
        room = max(0, KEYS_MAX - len(self._parts.table.value.keys))
        created = dict(islice(news.created.items(), room))
        self._created += created.values()
        self._unkept_keys.update(created)
        self._revoked_at.update(news.revoked_at)
        self._unkept.update(news.revoked_at)
        self._publish()
        for key_id in created:
            self._tell(key_id, KeyState.ACTIVE)
        for key_id in news.revoked_at:
            self._tell(key_id, KeyState.REVOKED)

    async def _load(self) -> bool:
        """Read what is kept; false if it cannot be read, or is not all of it."""
        try:
            kept = await self._parts.store.load()
        except StorageFailed:
            return False
        # What was made meanwhile, or heard from others and is not kept yet, is known all the same.
        ids = {key.id for key in kept.keys}
        newer = {key.id: key for key in self._created if key.id not in ids}
        if self._parts.shared is not None:
            self._unkept_keys = newer
        self._created = [*kept.keys, *newer.values()]
        self._revoked_at = {**self._revoked_at, **kept.revoked_at}
        self._unkept -= kept.revoked_at.keys()
        self._last_used_at = kept.last_used_at
        self._noted = dict(kept.last_used_at)
        self._is_complete = kept.is_whole
        return kept.is_whole

    async def _note_uses(self) -> None:
        uses = {
            key_id: held.last_used_at
            for key_id, held in self._parts.table.value.keys.items()
            if held.last_used_at is not None and held.last_used_at != self._noted.get(key_id)
        }
        if uses:
            await self._parts.store.note_uses(uses)
            self._noted.update(uses)

    def _make(self, wishes: KeyWishes) -> NewKey:
        now = self._parts.wall_clock()
        text = write_key(self._new_id(), secrets.token_bytes(SECRET_BYTES))
        expires_in_s = wishes.expires_in_s
        parts = read_key(text)
        assert parts is not None  # noqa: S101  it was written a line above
        key = ClientKey(
            id=parts.id,
            digest=digest_of(parts.secret, self._parts.pepper),
            name=wishes.name,
            criticality=wishes.criticality,
            scope=wishes.scope,
            requests_per_minute=wishes.requests_per_minute,
            tokens_per_minute=wishes.tokens_per_minute,
            created_at=Instant(now),
            expires_at=None if expires_in_s is None else Instant(now + expires_in_s),
        )
        return NewKey(key=key, text=Secret(text))

    def _new_id(self) -> ClientKeyId:
        while True:
            key_id = ClientKeyId("".join(secrets.choice(ID_ALPHABET) for _ in range(ID_CHARACTERS)))
            if key_id not in self._parts.table.value.keys:
                return key_id

    def _publish(self) -> None:
        """Swap the table for one of what is configured and kept."""
        configured, limits = self._parts.configured()
        keys = [
            attrs.evolve(key, revoked_at=self._revoked_at.get(key.id))
            for key in (*configured, *self._created)
        ]
        table = self._parts.table
        table.publish(
            key_table(
                keys,
                limits,
                table.value,
                last_used_at=self._last_used_at,
                is_complete=self._is_complete,
            )
        )

    def _tell(self, key_id: ClientKeyId, state: KeyState) -> None:
        self._parts.emit(ClientKeyChanged(key_id=key_id, state=state.value))


CLIENT_KEYS = Name[ClientKeys]("client-keys")
