"""Logging in to the dashboard, staying, and leaving."""

import json
from pathlib import Path

import pytest

from cortexd.http.admin.sessions import (
    AGE_S_MAX,
    IDLE_S_MAX,
    SESSIONS_MAX,
    Sessions,
    session_cookies,
)
from cortexd.policy.login_delay import ADDRESS_FAILURES_MAX
from tests.authentication.bare_node import (
    CHAT_KEY,
    METRICS_KEY,
    TOKEN,
    Node,
    Reply,
    ask_app,
    hosted,
)

JSON = {"content-type": "application/json"}


async def _ask(
    node: Node, method: str, path: str, headers: object = None, body: object = None
) -> Reply:
    app = hosted(node.admin_routes, is_admin=True)
    encoded = json.dumps(body if body is not None else {}).encode()
    return await ask_app(app, method, path, {**JSON, **(headers or {})}, body=encoded)  # type: ignore[dict-item]


def _cookie(reply: Reply) -> str:
    return reply.headers["set-cookie"].partition(";")[0]


@pytest.mark.real_time
async def test_a_login_opens_a_session_that_a_logout_ends(node: Node) -> None:
    """With its cookie pages can be read, with its token things can be changed."""
    reply = await _ask(node, "POST", "/admin/login", body={"token": TOKEN})
    assert reply.status == 200
    csrf_token = json.loads(reply.body)["csrf_token"]
    cookie = {"cookie": _cookie(reply)}
    assert reply.headers["set-cookie"].startswith("cortexd-session=")
    assert reply.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert reply.headers["cache-control"] == "no-store"

    again = await _ask(node, "GET", "/admin/session", cookie)
    assert json.loads(again.body) == {"csrf_token": csrf_token}
    assert (await _ask(node, "POST", "/admin/logout", cookie)).code == "csrf_failed"
    left = await _ask(node, "POST", "/admin/logout", {**cookie, "x-csrf-token": csrf_token})
    assert left.status == 200
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert (await _ask(node, "GET", "/admin/session", cookie)).status == 401


@pytest.mark.real_time
async def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(node: Node) -> None:
    """The origin of the page that logs in says what the browser speaks."""
    origin = {"origin": "https://node.test:4001"}
    reply = await _ask(node, "POST", "/admin/login", origin, {"token": TOKEN})
    header = reply.headers["set-cookie"]
    assert header.startswith("__Host-cortexd=")
    assert header.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


@pytest.mark.real_time
async def test_a_page_of_another_origin_cannot_log_in(node: Node) -> None:
    """Not even with the right token: nobody is logged in behind their back."""
    origin = {"origin": "https://evil.example"}
    reply = await _ask(node, "POST", "/admin/login", origin, {"token": TOKEN})
    assert (reply.status, reply.code) == (403, "foreign_origin")


@pytest.mark.real_time
@pytest.mark.parametrize("token", ["", "wrong", TOKEN + " ", CHAT_KEY, METRICS_KEY, "ä\u2603"])
async def test_a_wrong_token_logs_nobody_in(node: Node, token: str) -> None:
    """Nor does any key, and what was tried is not repeated."""
    reply = await _ask(node, "POST", "/admin/login", body={"token": token})
    assert (reply.status, reply.code) == (401, "invalid_admin_token")
    assert "set-cookie" not in reply.headers
    assert not token or token.encode() not in reply.body
    assert [(each.listener, each.reason) for each in node.rejections] == [("admin", "wrong_token")]


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_required_parameter"),
        ({"token": 1}, "invalid_type"),
        ({"token": "x" * 5000}, "invalid_value"),
        ({"token": TOKEN, "more": 1}, "unsupported_parameter"),
    ],
)
async def test_what_is_no_login_is_refused(node: Node, body: object, code: str) -> None:
    """As everywhere: 400, and which field is at fault."""
    reply = await _ask(node, "POST", "/admin/login", body=body)
    assert (reply.status, reply.code) == (400, code)


@pytest.mark.real_time
async def test_guessing_at_the_token_is_slowed_down(node: Node, tmp_path: Path) -> None:
    """The same counts as for the token in a header, and as for client keys.

    Those who come too often are in no audit trail, which they could let grow without end.
    """
    trail = tmp_path / "state" / "audit.log"
    trail.parent.mkdir()
    for _ in range(ADDRESS_FAILURES_MAX):
        reply = await _ask(node, "POST", "/admin/login", body={"token": "guess"})
        assert reply.status == 401
    assert (await _ask(node, "POST", "/admin/login", body={"token": "guess"})).status == 429
    guess = {"authorization": "Bearer guess"}
    assert (await _ask(node, "GET", "/admin/session", guess)).status == 429
    assert (await _ask(node, "POST", "/admin/login", body={"token": TOKEN})).status == 200
    kept = trail.read_text(encoding="utf-8").splitlines()
    statuses = [json.loads(line)["status"] for line in kept]
    assert statuses == [*[401] * ADDRESS_FAILURES_MAX, 200]


async def test_the_token_itself_has_no_session(node: Node) -> None:
    """Who comes with the token needs no second one."""
    reply = await _ask(node, "GET", "/admin/session", {"authorization": f"Bearer {TOKEN}"})
    assert reply.status == 401


def test_a_session_ends_when_it_is_left_alone_or_old() -> None:
    """15 minutes without use, and 8 hours at most."""
    sessions = Sessions()
    cookie, _ = sessions.open(0.0)
    assert sessions.use(cookie, IDLE_S_MAX - 1) is not None
    assert sessions.use(cookie, 2 * IDLE_S_MAX - 1) is None
    assert sessions.use(cookie, 0.0) is None, "it does not come back"

    cookie, _ = sessions.open(0.0)
    now = 0.0
    while now + IDLE_S_MAX / 2 < AGE_S_MAX:
        now += IDLE_S_MAX / 2
        assert sessions.use(cookie, now) is not None
    assert sessions.use(cookie, AGE_S_MAX) is None


def test_there_is_a_bound_on_sessions() -> None:
    """The one unused for longest makes room."""
    sessions = Sessions()
    first, _ = sessions.open(0.0)
    second, _ = sessions.open(1.0)
    for _ in range(SESSIONS_MAX - 2):
        sessions.open(1.0)
    sessions.use(first, 2.0)
    sessions.open(2.0)
    assert sessions.use(second, 2.0) is None
    assert sessions.use(first, 2.0) is not None


def test_sessions_are_random() -> None:
    """Neither secret comes twice."""
    sessions = Sessions()
    made = [sessions.open(0.0) for _ in range(20)]
    assert len({cookie for cookie, _ in made} | {s.csrf_token for _, s in made}) == 40


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", ()),
        ("a=b", ()),
        ("cortexd-session", ()),
        ("cortexd-session=", ()),
        ("cortexd-session=x", ("x",)),
        ("a=b; cortexd-session=x=y;c=d", ("x=y",)),
        ("__Host-cortexd=z", ("z",)),
        ("cortexd-session=x; __Host-cortexd=z", ("x", "z")),
        ("xcortexd-session=x", ()),
    ],
)
def test_reading_the_cookie(header: str, values: tuple[str, ...]) -> None:
    """Among whatever else a browser sends."""
    assert session_cookies(header) == values


async def test_a_session_that_is_over_does_not_hide_another(node: Node) -> None:
    """A browser that has logged in with and without HTTPS sends both of its cookies."""
    cookie, csrf_token = node.log_in()
    for header in (
        f"cortexd-session=over; __Host-cortexd={cookie}",
        f"cortexd-session={cookie}; __Host-cortexd=over",
    ):
        reply = await _ask(node, "GET", "/admin/session", {"cookie": header})
        assert json.loads(reply.body) == {"csrf_token": csrf_token}


def test_whether_a_session_is_open_is_asked_without_using_it() -> None:
    """Who listens to the events all day does not stay logged in by that."""
    sessions = Sessions()
    cookie, _ = sessions.open(0.0)
    assert sessions.is_open(cookie, IDLE_S_MAX - 1)
    assert not sessions.is_open(cookie, IDLE_S_MAX)
    assert not sessions.is_open("another", 0.0)
