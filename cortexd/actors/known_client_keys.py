"""What a node knows of client keys beyond its configuration, and what of that the disk does not.

Rule of this file: it remembers, and does nothing. Its actor reads, writes and tells.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

import attrs

from cortexd.domain.client_key import ClientKey, ClientKeyId, Instant, KeyRecords, KeySource
from cortexd.policy.client_keys import HeldKey, KeyTable, key_table
from cortexd.policy.rate_limit import LimitSettings
from cortexd.ports import KeptKeys


class KnownKeys:
    """The keys that were made on this node or another, and the revocations and uses of any.

    `unkept_keys` and `unkept_revocations` have still to be written to the disk. `is_complete`: all
    that the disk had has been read.
    """

    def __init__(self, before: KeyTable) -> None:
        # What the table before knew: the disk may not answer now, and it may not have kept all.
        known = [held.key for held in before.keys.values()]
        self._created = [key for key in known if key.source is KeySource.CREATED]
        self._last_used_at: Mapping[ClientKeyId, Instant] = {}
        self._noted: dict[ClientKeyId, Instant] = {}
        self.revoked_at = {key.id: key.revoked_at for key in known if key.revoked_at is not None}
        self.unkept_revocations = set(self.revoked_at)
        self.unkept_keys: dict[ClientKeyId, ClientKey] = {}
        self.is_complete = before.is_complete

    def add(self, key: ClientKey) -> None:
        """A key that was made here, and is kept."""
        self._created.append(key)

    def revoke(self, key_id: ClientKeyId, at: Instant) -> None:
        """A key that opens nothing any more; that has still to be kept."""
        self.revoked_at[key_id] = at
        self.unkept_revocations.add(key_id)

    @property
    def records(self) -> KeyRecords:
        """What this node knows that others may not."""
        return KeyRecords(
            created={key.id: key for key in self._created}, revoked_at=self.revoked_at
        )

    def take_over(self, news: KeyRecords, *, room: int) -> KeyRecords:
        """Have what other nodes have done hold here; what of it does.

        `room`: for so many keys more, and for all revocations.
        """
        created = dict(islice(news.created.items(), room))
        self._created += created.values()
        self.unkept_keys.update(created)
        self.revoked_at.update(news.revoked_at)
        self.unkept_revocations.update(news.revoked_at)
        return attrs.evolve(news, created=created)

    def take_kept(self, kept: KeptKeys, *, is_alone: bool) -> None:
        """Know what the disk has; `is_alone`: no other node's keys are to be kept here."""
        # What was made meanwhile, or heard from others and is not kept yet, is known all the same.
        ids = {key.id for key in kept.keys}
        newer = {key.id: key for key in self._created if key.id not in ids}
        if not is_alone:
            self.unkept_keys = newer
        self._created = [*kept.keys, *newer.values()]
        self.revoked_at = {**self.revoked_at, **kept.revoked_at}
        self.unkept_revocations -= kept.revoked_at.keys()
        self._last_used_at = kept.last_used_at
        self._noted = dict(kept.last_used_at)
        self.is_complete = kept.is_whole

    def unnoted_uses(self, held_keys: Mapping[ClientKeyId, HeldKey]) -> dict[ClientKeyId, Instant]:
        """When keys were used last, where the disk does not know that."""
        return {
            key_id: held.last_used_at
            for key_id, held in held_keys.items()
            if held.last_used_at is not None and held.last_used_at != self._noted.get(key_id)
        }

    def note(self, uses: Mapping[ClientKeyId, Instant]) -> None:
        """The disk knows of these uses."""
        self._noted.update(uses)

    def table(
        self, configured: Sequence[ClientKey], limits: LimitSettings, before: KeyTable
    ) -> KeyTable:
        """The table of what is configured and known, with what uses have left in the one before."""
        keys = [
            attrs.evolve(key, revoked_at=self.revoked_at.get(key.id))
            for key in (*configured, *self._created)
        ]
        return key_table(
            keys, limits, before, last_used_at=self._last_used_at, is_complete=self.is_complete
        )
