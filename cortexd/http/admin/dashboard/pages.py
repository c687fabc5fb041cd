"""The dashboard's pages. They are the same for everybody: what they show, their scripts fetch.

Rule of this file: nothing that comes from outside gets into a page, so nothing needs escaping.
"""

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Final

from cortexd.http.admin.dashboard.browser_answers import answer_browser
from cortexd.http.doors.door import Door, DoorRequest, Responder

PAGES: Final = (
    "overview",
    "workers",
    "cluster",
    "fleet",
    "tree",
    "dead-letters",
    "alerts",
    "requests",
    "load",
    "cache",
    "keys",
    "configuration",
    "chat",
)
"""The pages behind the login, in the order of the navigation."""

_HTML: Final = (
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("vary", "hx-request"),
)
_SLOT: Final = "<!-- page -->"


def page_path(page: str) -> str:
    """Where the page is."""
    return "/admin/" if page == PAGES[0] else f"/admin/ui/{page}"


class PageDoor(Door):
    """Shows one page: whole, or for htmx only what is inside the shell."""

    def __init__(self, folder: Traversable, page: str) -> None:
        fragment = (folder / f"{page}.html").read_text(encoding="utf-8")
        shell = (folder / "shell.html").read_text(encoding="utf-8")
        self._fragment = fragment.encode()
        self._whole = shell.replace(_SLOT, fragment).encode()

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Send the page."""
        body = self._fragment if is_from_htmx(request.headers) else self._whole
        await answer_browser(respond, 200, _HTML, body)


class LoginPage(Door):
    """Asks for the admin token. Open to all, as it must be."""

    def __init__(self, folder: Traversable) -> None:
        self._body = (folder / "login.html").read_bytes()

    async def answer(self, request: DoorRequest, respond: Responder) -> None:  # noqa: ARG002  the same for all
        """Send the page."""
        await answer_browser(respond, 200, _HTML, self._body)


def is_from_htmx(headers: Mapping[str, str]) -> bool:
    """Whether a script asks for it, and not the browser itself."""
    return "hx-request" in headers
