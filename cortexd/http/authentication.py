"""Who may use the doors for clients: the bearer of a client key, where keys are asked for."""

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from cortexd.actors.published import Published
from cortexd.domain.client_key import Instant, KeyScope
from cortexd.domain.errors import RequestRefused, StorageFailed
from cortexd.domain.secret import Secret
from cortexd.http.doors.door import ANYBODY, Caller
from cortexd.http.failed_attempts import Attempt, FailedAttempts
from cortexd.http.gate import TurnedAway
from cortexd.policy.client_keys import HeldKey, KeyTable, Rejected, Rejection, find_key

_SCHEME: Final = "bearer "

_NO_KEY: Final = RequestRefused(
    "this needs a key that is valid here: send 'Authorization: Bearer KEY' or 'x-api-key: KEY'; "
    "the operator of this gateway gives them out",
    code="invalid_api_key",
    status=401,
)
"""Said of every key that opens nothing, whatever the reason."""

_OTHER_SCOPE: Final = RequestRefused(
    "this key is not for the doors of clients: ask the operator for one of scope 'chat'",
    code="insufficient_scope",
    status=403,
)

_NOT_READ: Final = StorageFailed(
    "the gateway cannot read its keys at the moment; try again after the time in retry-after"
)


@attrs.frozen(kw_only=True)
class Keyring:
    """The keys, and what it takes to check one. `wall_clock` gives seconds since 1970."""

    table: Published[KeyTable]
    pepper: Secret
    wall_clock: Callable[[], float]

    def find(self, text: str) -> HeldKey | Rejected:
        """The key that `text` is, whose use is noted."""
        now = self.wall_clock()
        found = find_key(self.table.value, text, pepper=self.pepper, now=now)
        if isinstance(found, HeldKey):
            found.last_used_at = Instant(now)
        return found


@attrs.frozen(kw_only=True)
class ClientGate:
    """In front of the doors for clients.

    `always`: a key is asked for in any case, as it must be where others than this machine's own
    programs can knock; else only once there are any.
    """

    keys: Keyring
    attempts: FailedAttempts
    always: bool

    def admit(self, method: str, headers: Mapping[str, str], client: str) -> Caller | TurnedAway:  # noqa: ARG002  the same for all
        """Let the bearer of a key in."""
        table = self.keys.table.value
        if not (self.always or table.has_chat_keys):
            limited = table.anonymous.requests or table.anonymous.tokens
            return Caller(allowance=table.anonymous) if limited else ANYBODY
        text = client_credential(headers)
        if text is None:
            return self.attempts.refuse(_NO_KEY, _attempt(client, headers, "missing"))
        found = self.keys.find(text)
        if isinstance(found, Rejected):
            return self._rejected(found, _attempt(client, headers, found.reason.value))
        key = found.key
        if key.scope is not KeyScope.CHAT:
            attempt = attrs.evolve(_attempt(client, headers, "other_scope"), key_id=key.id)
            return self.attempts.refuse(_OTHER_SCOPE, attempt)
        return Caller(key_id=key.id, criticality=key.criticality, allowance=found.allowance)

    def _rejected(self, rejected: Rejected, attempt: Attempt) -> TurnedAway:
        attempt = attrs.evolve(attempt, key_id=rejected.key_id)
        if rejected.reason is Rejection.NOT_READ:
            return self.attempts.refuse(_NOT_READ, attempt)
        return self.attempts.turn_away(_NO_KEY, attempt)


def _attempt(client: str, headers: Mapping[str, str], reason: str) -> Attempt:
    return Attempt.at("data", client, headers, reason)


def bearer(headers: Mapping[str, str]) -> str | None:
    """What the header `Authorization` bears, `None` if it bears nothing."""
    header = headers.get("authorization", "")
    return header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else None


def client_credential(headers: Mapping[str, str]) -> str | None:
    """The key that a client shows; Anthropic's clients have a header of their own for it."""
    shown = bearer(headers)
    return headers.get("x-api-key") if shown is None else shown
