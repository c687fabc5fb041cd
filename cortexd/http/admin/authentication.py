"""Who may see to the node: the bearer of the admin token, or who has logged in with it."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from cortexd.domain.client_key import KeyScope
from cortexd.domain.errors import RequestRefused
from cortexd.domain.secret import Secret
from cortexd.http.admin.sessions import Sessions, session_cookies
from cortexd.http.authentication import Keyring, bearer
from cortexd.http.doors.door import Caller
from cortexd.http.failed_attempts import Attempt, FailedAttempts
from cortexd.http.gate import TurnedAway
from cortexd.policy.client_keys import HeldKey

CSRF_HEADER: Final = "x-csrf-token"
LISTENER: Final = "admin"

_HARMLESS: Final = ("GET", "HEAD")

NO_TOKEN: Final = RequestRefused(
    "this needs the admin token: send 'Authorization: Bearer TOKEN'",
    code="invalid_admin_token",
    status=401,
)

_NO_CSRF_TOKEN: Final = RequestRefused(
    f"a session needs the header {CSRF_HEADER}, with the token that the login has given",
    code="csrf_failed",
    status=403,
)


@attrs.frozen(kw_only=True)
class AdminCredentials:
    """What operators are known by. `clock` is monotonic."""

    token: Secret
    sessions: Sessions
    attempts: FailedAttempts
    keys: Keyring
    clock: Callable[[], float]

    def is_token(self, given: str) -> bool:
        """Whether this is the admin token; in constant time, and on bytes, since it may be any."""
        return hmac.compare_digest(given.encode(), self.token.reveal().encode())

    def has_left(self, caller: Caller) -> bool:
        """Whether the session that somebody came with is over by now."""
        session = caller.session
        return session is not None and not self.sessions.is_open(session, self.clock())

    def wrong_token(self, client: str, headers: Mapping[str, str]) -> TurnedAway:
        """Count a token that was none, and refuse it."""
        attempt = Attempt.at(LISTENER, client, headers, "wrong_token")
        return self.attempts.turn_away(NO_TOKEN, attempt)


@attrs.frozen
class AdminGate:
    """In front of what operators see. `scope`: keys of this scope open it as well, for reading."""

    credentials: AdminCredentials
    scope: KeyScope | None = None

    def admit(self, method: str, headers: Mapping[str, str], client: str) -> Caller | TurnedAway:
        """Let an operator in."""
        shown = bearer(headers)
        if shown is not None:
            return self._by_token(shown, client, headers)
        cookies = session_cookies(headers.get("cookie", ""))
        if cookies:
            return self._by_session(cookies, method, client, headers)
        return self._refuse(NO_TOKEN, client, headers, "missing")

    def _by_token(self, shown: str, client: str, headers: Mapping[str, str]) -> Caller | TurnedAway:
        if self.credentials.is_token(shown):
            return Caller()
        if self.scope is not None:
            found = self.credentials.keys.find(shown)
            if isinstance(found, HeldKey) and found.key.scope is self.scope:
                return Caller(key_id=found.key.id)
        return self.credentials.wrong_token(client, headers)

    def _by_session(
        self, cookies: Sequence[str], method: str, client: str, headers: Mapping[str, str]
    ) -> Caller | TurnedAway:
        sessions, now = self.credentials.sessions, self.credentials.clock()
        cookie = next((each for each in cookies if sessions.is_open(each, now)), cookies[0])
        session = sessions.use(cookie, now)
        if session is None:
            # Most come from a page that was left open over night, and none is worth guessing.
            return self._refuse(NO_TOKEN, client, headers, "no_session")
        if method not in _HARMLESS and not session.has_csrf_token(headers.get(CSRF_HEADER, "")):
            return self._refuse(_NO_CSRF_TOKEN, client, headers, "csrf")
        return Caller(session=cookie)

    def _refuse(
        self, refusal: RequestRefused, client: str, headers: Mapping[str, str], reason: str
    ) -> TurnedAway:
        attempt = Attempt.at(LISTENER, client, headers, reason)
        return self.credentials.attempts.refuse(refusal, attempt)
