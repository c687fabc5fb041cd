"""The sessions of those who have logged in to the dashboard. They live in memory.

A session is a secret in a cookie that no script can read, and a second one that the dashboard's own
scripts send along in a header, which other pages cannot know. Rule of this file: `now` is on the
monotonic clock.
"""

import hmac
import secrets
from typing import Final

import attrs

IDLE_S_MAX: Final = 15 * 60.0
AGE_S_MAX: Final = 8 * 3600.0
SESSIONS_MAX: Final = 100
"""More people than look after a node; the one longest unused makes room."""

_RANDOM_BYTES: Final = 32

COOKIE: Final = "cortexd-session"
SECURE_COOKIE: Final = "__Host-cortexd"
"""Where the browser speaks HTTPS: it takes a cookie of such a name from nobody but this host."""


@attrs.define
class Session:
    """One login."""

    csrf_token: str
    began_at: float
    used_at: float

    def is_over(self, now: float) -> bool:
        """Whether it was left alone for too long, or is too old."""
        return now - self.used_at >= IDLE_S_MAX or now - self.began_at >= AGE_S_MAX

    def has_csrf_token(self, given: str) -> bool:
        """Whether this is the second secret, compared in constant time."""
        return hmac.compare_digest(given.encode(), self.csrf_token.encode())


class Sessions:
    """All that are open."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def open(self, now: float) -> tuple[str, Session]:
        """A new session, and what belongs into its cookie."""
        self._sessions = {
            cookie: session
            for cookie, session in self._sessions.items()
            if not session.is_over(now)
        }
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].used_at)]
        # A look-up by what was sent tells nothing by its time: a guess has 256 bits to go.
        cookie = secrets.token_urlsafe(_RANDOM_BYTES)
        session = Session(secrets.token_urlsafe(_RANDOM_BYTES), began_at=now, used_at=now)
        self._sessions[cookie] = session
        return cookie, session

    def use(self, cookie: str, now: float) -> Session | None:
        """The session of this cookie, which counts as used; `None` if it is over."""
        session = self._sessions.get(cookie)
        if session is None or session.is_over(now):
            self._sessions.pop(cookie, None)
            return None
        session.used_at = now
        return session

    def is_open(self, cookie: str, now: float) -> bool:
        """Whether there is such a session still; to ask is no use of it."""
        session = self._sessions.get(cookie)
        return session is not None and not session.is_over(now)

    def close(self, cookie: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(cookie, None)


def session_cookies(header: str) -> tuple[str, ...]:
    """The values of our cookies in the header `Cookie`.

    More than one, where somebody has logged in with and without HTTPS: a browser sends the cookie
    of the one along with the other, and the first may be over.
    """
    pairs = [pair.strip().partition("=") for pair in header.split(";")]
    return tuple(value for name, _, value in pairs if value and name in {COOKIE, SECURE_COOKIE})


def set_cookie(value: str, *, secure: bool) -> str:
    """The header that has a browser keep the cookie until it is closed."""
    return _cookie(f"{SECURE_COOKIE if secure else COOKIE}={value}", secure=secure)


def drop_cookie(*, secure: bool) -> str:
    """The header that has a browser forget it."""
    return _cookie(f"{SECURE_COOKIE if secure else COOKIE}=; Max-Age=0", secure=secure)


def _cookie(pair: str, *, secure: bool) -> str:
    return f"{pair}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
