"""The client keys of this node: their file, their table, and what the doors know callers by."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs

from cortexd.actors.client_keys import ClientKeyParts
from cortexd.actors.published import Published
from cortexd.cluster_ports import SharedClientKeys
from cortexd.config.schema import Config
from cortexd.domain.client_key import ClientKey
from cortexd.domain.secret import Secret
from cortexd.http.admin.authentication import AdminCredentials
from cortexd.http.admin.keys import KeysAdmin
from cortexd.http.admin.sessions import Sessions
from cortexd.http.authentication import ClientGate, Keyring
from cortexd.http.failed_attempts import FailedAttempts
from cortexd.policy.client_keys import KeyTable, key_table
from cortexd.policy.rate_limit import LimitSettings
from cortexd.runtime.surroundings import Surroundings
from cortexd.storage.client_keys import MIGRATIONS, StoredClientKeys
from cortexd.storage.database import Database

FILE_NAME: Final = "keys.db"


@attrs.frozen(kw_only=True)
class NodeClientKeys:
    """What outlives the actor that looks after them."""

    database: Database
    actor: ClientKeyParts
    keyring: Keyring
    attempts: FailedAttempts
    sessions: Sessions

    def client_gate(self, *, always: bool) -> ClientGate:
        """In front of the doors for clients; see there."""
        return ClientGate(keys=self.keyring, attempts=self.attempts, always=always)

    def admin_credentials(self, token: Secret) -> AdminCredentials:
        """What operators are known by."""
        return AdminCredentials(
            token=token,
            sessions=self.sessions,
            attempts=self.attempts,
            keys=self.keyring,
            clock=self.attempts.clock,
        )

    @property
    def admin(self) -> KeysAdmin:
        """What operators can do with them."""
        return KeysAdmin(table=self.actor.table, wall_clock=self.actor.wall_clock)


def node_client_keys(
    live: Published[Config],
    around: Surroundings,
    shared: SharedClientKeys | None = None,
) -> NodeClientKeys:
    """Make it all; nothing is opened yet. `shared`: where the nodes of a cluster tell of theirs."""
    path = live.value.node.state_dir / FILE_NAME
    database = around.open_database(path, MIGRATIONS, emit=around.emit)
    keys, limits = _configured(live)
    # Without its actor, a node knows the keys of its configuration, and that there may be others.
    first = key_table(keys, limits, KeyTable(), last_used_at={}, is_complete=False)
    table = Published(first)
    actor = ClientKeyParts(
        table=table,
        store=StoredClientKeys(database, path),
        configured=partial(_configured, live),
        pepper=around.pepper,
        wall_clock=around.wall_clock,
        emit=around.emit,
        shared=shared,
    )
    return NodeClientKeys(
        database=database,
        actor=actor,
        keyring=Keyring(table=table, pepper=around.pepper, wall_clock=around.wall_clock),
        attempts=FailedAttempts(emit=around.emit, clock=around.clock),
        sessions=Sessions(),
    )


def _configured(live: Published[Config]) -> tuple[Sequence[ClientKey], LimitSettings]:
    """The keys and limits of the configuration as it is now."""
    return [each.key for each in live.value.keys], live.value.limits
