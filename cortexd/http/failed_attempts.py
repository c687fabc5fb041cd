"""Who is turned away at a gate is reported, and slowed down where it was a guess.

Rule of this file: what was tried goes nowhere, neither into an answer nor into an event.
"""

from collections.abc import Callable, Mapping

import attrs

from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.errors import CortexError, RateLimited
from cortexd.domain.events import CredentialRejected, Emit
from cortexd.domain.ids import RequestId
from cortexd.http.gate import TurnedAway
from cortexd.policy.login_delay import LoginDelays


@attrs.frozen(kw_only=True)
class Attempt:
    """Somebody at a gate. `reason`: why they may not pass, for the operator's eyes alone."""

    listener: str
    client: str
    request_id: RequestId
    reason: str
    key_id: ClientKeyId | None = None

    @classmethod
    def at(cls, listener: str, client: str, headers: Mapping[str, str], reason: str) -> "Attempt":
        """The attempt that a request with these headers is; each has an id by then."""
        request_id = RequestId(headers.get("x-request-id", ""))
        return cls(listener=listener, client=client, request_id=request_id, reason=reason)


@attrs.define(kw_only=True)
class FailedAttempts:
    """Both listeners share one, so that nobody has twice the attempts. `clock` is monotonic."""

    emit: Emit
    clock: Callable[[], float]
    delays: LoginDelays = attrs.Factory(LoginDelays)

    def refuse(self, refusal: CortexError, attempt: Attempt) -> TurnedAway:
        """Report what is no guess at a credential: none was shown, or a right one elsewhere."""
        self._report(attempt, None)
        return TurnedAway(refusal)

    def turn_away(self, refusal: CortexError, attempt: Attempt) -> TurnedAway:
        """Count a failure; gives the refusal, or what those get who fail too often.

        `refusal` is the same whatever the reason.
        """
        slowdown = self.delays.fail(attempt.client, attempt.key_id, self.clock())
        self._report(attempt, slowdown.retry_after_s)
        if slowdown.retry_after_s is None:
            return TurnedAway(refusal, slowdown.held_s)
        too_often = RateLimited(
            "too many credentials that open nothing have come from here; correct them, and try "
            "again after the time in retry-after",
            retry_after_s=slowdown.retry_after_s,
            code="too_many_failed_attempts",
        )
        return TurnedAway(too_often, slowdown.held_s)

    def _report(self, attempt: Attempt, retry_after_s: float | None) -> None:
        self.emit(
            CredentialRejected(
                listener=attempt.listener,
                client=attempt.client,
                request_id=attempt.request_id,
                reason=attempt.reason,
                key_id=attempt.key_id,
                retry_after_s=retry_after_s,
            )
        )
