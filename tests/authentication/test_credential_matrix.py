"""Every route of both listeners with every kind of credential: G1 of BAD_INPUT, and more.

The routes are asked from the node itself, so a new one is in here, and has to be guarded.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import pytest

from cortexd.http.quart_app import Route
from tests.authentication.bare_node import (
    CHAT_KEY,
    EXPIRED_KEY,
    FORGED_KEY,
    METRICS_KEY,
    PREMIUM_KEY,
    REVOKED_KEY,
    TOKEN,
    UNKNOWN_KEY,
    Node,
)

PASSED: Final = 204
HARMLESS: Final = {"GET", "HEAD"}

OPEN_TO_CLIENTS: Final = {
    ("GET", "/api/health"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/startupz"),
}
OPEN_TO_OPERATORS: Final = {
    ("POST", "/admin/login"),
    ("GET", "/admin/login"),
    ("GET", "/admin/static/<path:name>"),
}
"""Every door that anybody may come to. Whoever makes this longer has a reason to write down here:
load balancers have no keys, and who logs in has no session yet; the page to do so is the same in
every node."""

FOR_METRICS: Final = {("GET", "/metrics")}


@attrs.frozen
class Shown:
    """What a request carries, and what it gets for it."""

    headers: Mapping[str, str]
    status: int
    code: str | None = None


def _bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def _path(route: Route) -> str:
    """A path that the route serves."""
    parts = route.path.split("/")
    return "/".join("any" if part.startswith("<") else part for part in parts)


def _endpoints(routes: tuple[Route, ...]) -> set[tuple[str, str]]:
    return {(route.method, route.path) for route in routes}


def test_the_open_doors_are_those_that_are_known(node: Node) -> None:
    """A route without a gate is a mistake, or has to be named here."""
    of_data, of_admin = node.data_routes(), node.admin_routes
    assert {(r.method, r.path) for r in of_data if r.gate is None} == OPEN_TO_CLIENTS
    assert {(r.method, r.path) for r in of_admin if r.gate is None} == OPEN_TO_OPERATORS


def test_no_route_is_on_both_listeners(node: Node) -> None:
    """What operators do cannot be reached from where clients are."""
    assert not _endpoints(node.data_routes()) & _endpoints(node.admin_routes)
    assert not any(route.path.startswith("/admin") for route in node.data_routes())


def _of_clients() -> dict[str, Shown]:
    wrong = "invalid_api_key"
    return {
        "none": Shown({}, 401, wrong),
        "empty": Shown(_bearer(""), 401, wrong),
        "garbage": Shown(_bearer("sk-garbage"), 401, wrong),
        "basic": Shown({"authorization": f"Basic {CHAT_KEY}"}, 401, wrong),
        "twice": Shown(_bearer(f"{CHAT_KEY}, Bearer {CHAT_KEY}"), 401, wrong),
        "key": Shown(_bearer(CHAT_KEY), PASSED),
        "scheme in capitals": Shown({"authorization": f"BEARER {CHAT_KEY}"}, PASSED),
        "premium key": Shown(_bearer(PREMIUM_KEY), PASSED),
        "x-api-key": Shown({"x-api-key": CHAT_KEY}, PASSED),
        "wrong x-api-key": Shown({"x-api-key": UNKNOWN_KEY}, 401, wrong),
        "wrong bearer, right x-api-key": Shown(
            {**_bearer(UNKNOWN_KEY), "x-api-key": CHAT_KEY}, 401, wrong
        ),
        "key with a slip": Shown(_bearer(CHAT_KEY[:-1]), 401, wrong),
        "unknown key": Shown(_bearer(UNKNOWN_KEY), 401, wrong),
        "wrong secret": Shown(_bearer(FORGED_KEY), 401, wrong),
        "expired key": Shown(_bearer(EXPIRED_KEY), 401, wrong),
        "revoked key": Shown(_bearer(REVOKED_KEY), 401, wrong),
        "metrics key": Shown(_bearer(METRICS_KEY), 403, "insufficient_scope"),
        "admin token": Shown(_bearer(TOKEN), 401, wrong),
        "admin token as x-api-key": Shown({"x-api-key": TOKEN}, 401, wrong),
    }


@pytest.mark.parametrize("kind", [*_of_clients(), "session"])
async def test_the_doors_for_clients(node: Node, kind: str) -> None:
    """They open for client keys, and for nothing that operators have."""
    shown = _of_clients().get(kind)
    if shown is None:
        cookie, csrf_token = node.log_in()
        headers = {"cookie": f"cortexd-session={cookie}", "x-csrf-token": csrf_token}
        shown = Shown(headers, 401, "invalid_api_key")
    bodies = set()
    for route in node.data_routes():
        node.forgive()
        reply = await node.ask_data(route.method, _path(route), shown.headers)
        where = (route.method, route.path)
        if where in OPEN_TO_CLIENTS:
            assert reply.status == PASSED, where
            continue
        assert reply.status == shown.status, where
        assert (reply.reached is not None) == (shown.status == PASSED), where
        if shown.status == PASSED:
            continue
        # The framework reads ahead, into a buffer of its own, for paths with names in them.
        assert not reply.body_was_read or "<" in route.path, where
        if not route.path.startswith(("/api/", "/v1/messages")):
            assert reply.code == shown.code
            bodies.add(reply.body)
        assert ("www-authenticate" in reply.headers) == (shown.status == 401)
    assert len(bodies) == (0 if shown.status == PASSED else 1)


def _of_operators() -> Iterator[tuple[str, Shown, Shown]]:
    """By name: for reading, and for changing."""
    wrong = Shown({}, 401, "invalid_admin_token")
    for name, headers in {
        "none": {},
        "empty": _bearer(""),
        "garbage": _bearer("garbage"),
        "token with more": _bearer(TOKEN + "x"),
        "token with less": _bearer(TOKEN[:-1]),
        "token without scheme": {"authorization": TOKEN},
        "token as x-api-key": {"x-api-key": TOKEN},
        "token in the cookie": {"cookie": f"cortexd-session={TOKEN}"},
        "client key": _bearer(CHAT_KEY),
        "premium key": _bearer(PREMIUM_KEY),
        "client key as x-api-key": {"x-api-key": CHAT_KEY},
        "expired key": _bearer(EXPIRED_KEY),
        "revoked key": _bearer(REVOKED_KEY),
        "metrics key": _bearer(METRICS_KEY),
        "no session of ours": {"cookie": "cortexd-session=none"},
    }.items():
        refused = attrs.evolve(wrong, headers=headers)
        yield name, refused, refused
    right = Shown(_bearer(TOKEN), PASSED)
    yield "token", right, right
    own = attrs.evolve(right, headers={**_bearer(TOKEN), "origin": "http://node.test:4001"})
    yield "token, own origin", own, own
    for origin in ("https://evil.example", "http://node.test:9999", "null", "http://", "junk"):
        foreign = {**_bearer(TOKEN), "origin": origin}
        yield (
            f"token, origin {origin}",
            Shown(foreign, PASSED),
            Shown(foreign, 403, "foreign_origin"),
        )


def _of_sessions(node: Node) -> dict[str, tuple[Shown, Shown]]:
    cookie, csrf_token = node.log_in()
    other, other_token = node.log_in()
    ended, ended_token = node.log_in()
    node.app.client_keys.sessions.close(ended)
    bare = {"cookie": f"cortexd-session={cookie}"}
    full = {**bare, "x-csrf-token": csrf_token}
    passed = Shown(full, PASSED)
    no_token = Shown({}, 403, "csrf_failed")
    over = Shown(
        {"cookie": f"cortexd-session={ended}", "x-csrf-token": ended_token},
        401,
        "invalid_admin_token",
    )
    return {
        "session": (passed, passed),
        "secure session": (
            attrs.evolve(passed, headers={**full, "cookie": f"a=b; __Host-cortexd={cookie}"}),
        )
        * 2,
        "session without token": (Shown(bare, PASSED), attrs.evolve(no_token, headers=bare)),
        "session with another's token": (
            Shown({**bare, "x-csrf-token": other_token}, PASSED),
            attrs.evolve(no_token, headers={**bare, "x-csrf-token": other_token}),
        ),
        "session, foreign origin": (
            Shown({**full, "origin": "https://evil.example"}, PASSED),
            Shown({**full, "origin": "https://evil.example"}, 403, "foreign_origin"),
        ),
        "session that has ended": (over, over),
        "session, wrong authorization": (
            Shown({**full, **_bearer("wrong")}, 401, "invalid_admin_token"),
        )
        * 2,
        "other": (Shown({"cookie": f"cortexd-session={other}"}, PASSED), no_token),
    }


SESSIONS: Final = (
    "session",
    "secure session",
    "session without token",
    "session with another's token",
    "session, foreign origin",
    "session that has ended",
    "session, wrong authorization",
)


async def _check_admin(node: Node, name: str, reading: Shown, changing: Shown) -> None:
    for route in node.admin_routes:
        where = (route.method, route.path)
        if route.gate is None:
            continue
        shown = reading if route.method in HARMLESS else changing
        if where in FOR_METRICS and name == "metrics key":
            shown = attrs.evolve(shown, status=PASSED)
        reply = await node.ask_admin(route.method, _path(route), shown.headers)
        assert reply.status == shown.status, where
        assert (reply.reached is not None) == (shown.status == PASSED), where
        assert not any(name.startswith("access-control") for name in reply.headers)
        assert "content-encoding" not in reply.headers
        if shown.status != PASSED:
            assert reply.code == shown.code, where
            assert not reply.body_was_read or "<" in route.path, where
        node.forgive()


@pytest.mark.parametrize("name", [name for name, _, _ in _of_operators()])
async def test_the_doors_for_operators(node: Node, name: str) -> None:
    """They open for the admin token, and for nothing that clients have; G1 and H38."""
    [(reading, changing)] = [(r, c) for each, r, c in _of_operators() if each == name]
    await _check_admin(node, name, reading, changing)


@pytest.mark.parametrize("name", SESSIONS)
async def test_the_doors_for_who_has_logged_in(node: Node, name: str) -> None:
    """A session opens them; to change something it takes its second token as well."""
    reading, changing = _of_sessions(node)[name]
    await _check_admin(node, name, reading, changing)


async def test_a_head_request_goes_through_the_gate(node: Node) -> None:
    """The framework answers HEAD with the door for GET, and never without its gate."""
    for routes, ask in (
        (node.data_routes(), node.ask_data),
        (node.admin_routes, node.ask_admin),
    ):
        for route in routes:
            if route.method == "GET" and route.gate is not None:
                reply = await ask("HEAD", _path(route))
                assert (reply.status, reply.reached) == (401, None), route.path


async def test_a_preflight_gets_no_leave(node: Node) -> None:
    """H38: whatever a page of another origin asks leave for, it gets none."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for route in node.admin_routes:
        reply = await node.ask_admin("OPTIONS", _path(route), headers)
        assert reply.status == 403
        assert not any(name.startswith("access-control") for name in reply.headers)
