"""How the dashboard is served: to whom, and with which headers."""

from pathlib import Path

import pytest
from quart_trio import QuartTrio

from cortexd.http.admin.dashboard.pages import PAGES
from tests.authentication.bare_node import TOKEN, bare_node, hosted
from tests.authentication.bare_node import ask_app as ask
from tests.dashboard.visitor import path_of

ASSET = "/admin/static/app.js"

BROWSER = {"accept": "text/html,*/*;q=0.8"}
OPERATOR = {"authorization": f"Bearer {TOKEN}"}

EXPECTED = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types default"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture
def listener(tmp_path: Path) -> QuartTrio:
    """The admin listener of a node that does not run."""
    return hosted(bare_node(tmp_path).admin_routes, is_admin=True)


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_is_for_operators(listener: QuartTrio, page: str) -> None:
    """A program is told what it lacks; a browser is sent to where it can log in."""
    assert (await ask(listener, "GET", path_of(page))).code == "invalid_admin_token"
    sent = await ask(listener, "GET", path_of(page), BROWSER)
    assert sent.status == 303
    assert sent.headers["location"] == f"/admin/login#{page}"
    # htmx would put the login page into the middle of another.
    htmx = await ask(listener, "GET", path_of(page), BROWSER | {"hx-request": "true"})
    assert htmx.status == 401


async def test_a_browser_with_a_wrong_token_is_no_operator(listener: QuartTrio) -> None:
    """It is sent to the login as well, and has failed once."""
    headers = BROWSER | {"authorization": "Bearer wrong"}
    assert (await ask(listener, "GET", "/admin/", headers)).status == 303


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/login", "/admin/ui/tree", ASSET])
async def test_every_answer_has_the_security_headers(listener: QuartTrio, path: str) -> None:
    """And pages are kept nowhere."""
    answer = await ask(listener, "GET", path, OPERATOR)
    assert answer.status == 200
    assert {name: answer.headers[name] for name in EXPECTED} == EXPECTED
    kept = "no-cache" if path == ASSET else "no-store"
    assert answer.headers["cache-control"] == kept


async def test_the_way_to_the_login_has_the_security_headers(listener: QuartTrio) -> None:
    """It is an answer like any other."""
    answer = await ask(listener, "GET", "/admin/", BROWSER)
    assert {name: answer.headers[name] for name in EXPECTED} == EXPECTED
    assert answer.headers["cache-control"] == "no-store"


async def test_htmx_gets_what_is_inside_the_shell(listener: QuartTrio) -> None:
    """The same page without its frame."""
    whole = await ask(listener, "GET", "/admin/ui/workers", OPERATOR)
    headers = OPERATOR | {"hx-request": "true"}
    fragment = await ask(listener, "GET", "/admin/ui/workers", headers)
    assert fragment.body in whole.body
    assert b"<nav" in whole.body
    assert b"<nav" not in fragment.body


async def test_a_file_is_sent_once(listener: QuartTrio) -> None:
    """Whoever has it already is told that it is the same; no credential is asked for."""
    first = await ask(listener, "GET", ASSET)
    assert first.status == 200
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    known = {"if-none-match": f'"other", {first.headers["etag"]}'}
    again = await ask(listener, "GET", ASSET, known)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    changed = await ask(listener, "GET", ASSET, {"if-none-match": '"other"'})
    assert changed.body == first.body


@pytest.mark.parametrize(
    "name",
    [
        "absent.js",
        "../pages/shell.html",
        "vendor/VENDORED.md",
        "vendor/htmx.LICENSE.txt",
        "vendor/../app.js",
        "vendor",
        "/etc/passwd",
        "",
    ],
)
async def test_nothing_else_is_a_file(listener: QuartTrio, name: str) -> None:
    """Names are looked up in a list, and are no paths."""
    answer = await ask(listener, "GET", f"/admin/static/{name}")
    assert (answer.status, answer.code) == (404, "not_found")
