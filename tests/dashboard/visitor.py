"""Somebody who looks at a node through its dashboard."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import attrs
import httpx
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.daemon import Daemon

WAIT_MS_MAX: Final = 20_000
"""How long a browser is waited for; a limit for what hangs, not an expectation."""

WIDE: Final = (1280, 900)
NARROW: Final = (390, 844)

OVERFLOWING: Final = """() => [...document.querySelectorAll("html, .card, .tile, .head")]
  .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
  .map((box) => `${box.tagName} ${box.className} ${box.scrollWidth} > ${box.clientWidth}`)"""

NAMELESS: Final = """() => [...document.querySelectorAll("button, a, input, select, textarea")]
  .filter((each) => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))
  .filter((each) => each.checkVisibility())
  .map((each) => each.outerHTML)"""


# No slots: Playwright keeps its wrapper of a handler on the object that the handler belongs to.
@attrs.define(eq=False, slots=False)
class Visitor:
    """A browser's tab on the dashboard of a node. `complaints`: what its console has said."""

    page: Page
    daemon: Daemon
    complaints: list[str] = attrs.Factory(list)
    asked: list[str] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS_MAX)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def log_in(self, page: str = "overview") -> None:
        """Open a page, give the token, and be there."""
        self.page.goto(self.daemon.admin_url + path_of(page))
        self.page.get_by_label("Admin token").fill(token_of(self.daemon))
        self.page.get_by_role("button", name="Log in").click()
        self.at(page)

    def have_session(self) -> None:
        """Be logged in already."""
        token = {"token": token_of(self.daemon)}
        answer = httpx.post(f"{self.daemon.admin_url}/admin/login", json=token, timeout=20)
        [cookie] = answer.cookies.jar
        self.page.context.add_cookies(
            [{"name": cookie.name, "value": cookie.value or "", "url": self.daemon.admin_url}]
        )

    def open(self, page: str) -> None:
        """Go to a page as a bookmark would."""
        self.page.goto(self.daemon.admin_url + path_of(page))
        self.at(page)

    def go(self, page: str) -> None:
        """Go to another page by the navigation."""
        menu = self.page.get_by_role("button", name="Menu")
        if menu.is_visible():
            menu.click()
        self.page.locator(f'nav a[data-page="{page}"]').click()
        self.at(page)

    def at(self, page: str) -> None:
        """Be on that page, with its script at work."""
        expect(self.page.locator(f'main > .page[data-page="{page}"]')).to_be_visible()
        expect(self.page.locator("#connection")).to_have_text("live")

    def text(self, selector: str) -> str:
        """What an element says."""
        return self.page.locator(selector).inner_text()

    def resize(self, size: tuple[int, int]) -> None:
        """Look at the page through another window."""
        width, height = size
        self.page.set_viewport_size({"width": width, "height": height})

    def check_looks(self) -> None:
        """Nothing sticks out, and everything that can be used has a name."""
        where = self.page.url
        assert (where, self.page.evaluate(OVERFLOWING)) == (where, [])
        assert (where, self.page.evaluate(NAMELESS)) == (where, [])

    def check(self) -> None:
        """Nothing has gone wrong unseen, and nobody but the node was asked for anything."""
        assert not self.complaints
        own = urlsplit(self.daemon.admin_url).netloc
        assert {urlsplit(url).netloc for url in self.asked} == {own}

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


Visit: TypeAlias = Callable[..., Visitor]
"""Opens a tab of its own, on `page` unless it has to log in first.

`size` in pixels, `scheme` light or dark, `daemon`: another node than that of the module.
"""


def path_of(page: str) -> str:
    """Where a page of the dashboard is."""
    return "/admin/" if page == "overview" else f"/admin/ui/{page}"


def token_of(daemon: Daemon) -> str:
    """The admin token that the node has made."""
    return (daemon.folder / "state" / "admin-token").read_text(encoding="ascii").strip()


def texts(row: Locator, *fields: str) -> list[str]:
    """What the fields of a row say."""
    return [row.locator(f'[data-field="{field}"]').inner_text() for field in fields]


Chat: TypeAlias = Callable[..., httpx.Response]
"""Asks a model, as a client of the node does."""

Order: TypeAlias = Callable[..., Any]
"""Another operator, who does not use the dashboard: method, path, document."""
