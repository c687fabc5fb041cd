"""Who may see a page: as everywhere here, but a browser is shown where to log in."""

from collections.abc import Mapping
from typing import Final

import attrs

from cortexd.http.admin.authentication import NO_TOKEN
from cortexd.http.admin.dashboard.browser_answers import SECURITY_HEADERS
from cortexd.http.admin.dashboard.pages import is_from_htmx
from cortexd.http.doors.door import Caller
from cortexd.http.gate import Gate, TurnedAway
from cortexd.http.host_errors import Answer

LOGIN_PATH: Final = "/admin/login"

_SEE_OTHER: Final = 303


@attrs.frozen
class SignInGate(Gate):
    """In front of one page. Programs and scripts get the refusal of `inner` as it is."""

    inner: Gate
    page: str

    def admit(self, method: str, headers: Mapping[str, str], client: str) -> Caller | TurnedAway:
        """Let an operator in, and send a browser without a session to the login page."""
        admitted = self.inner.admit(method, headers, client)
        if not isinstance(admitted, TurnedAway) or admitted.error is not NO_TOKEN:
            return admitted
        if is_from_htmx(headers) or "text/html" not in headers.get("accept", ""):
            return admitted
        return _SentToLogin(admitted.error, admitted.held_s, self.page)


@attrs.frozen
class _SentToLogin(TurnedAway):
    page: str = ""

    def answer(self, path: str) -> Answer:  # noqa: ARG002  it goes by the page, which is ours
        # Behind the hash, where only the login page's script sees it.
        headers = [("location", f"{LOGIN_PATH}#{self.page}"), ("content-length", "0")]
        return Answer(_SEE_OTHER, [*headers, ("cache-control", "no-store"), *SECURITY_HEADERS], b"")
