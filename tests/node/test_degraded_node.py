"""A running node at each level: what operators set, and what clients get."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from cortexd.policy.degradation import LEVELS
from tests.daemon import Daemon, running_daemon

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S: Final = 20.0
"""A limit for what hangs: how long things really take depends on the machine."""

CONFIG: Final = """
[cache]
ttl_seconds = 0.001
[degradation]
enabled = false
timeouts_factor = 0.01
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
first_token_seconds = 10000
total_seconds = 10000
script = [{ say = "all is well" }]
[[workers]]
name = "silent"
type = "scripted"
models = ["slow"]
first_token_seconds = 20
script = [{ hang = true }]
"""
"""What is kept has expired at once, and a worker that says nothing has 0.2 s in bad times."""

CROWD: Final = 60
"""Clients, of which some are surely let in where a part is, and some are not."""

DEGRADATION: Final = "/admin/degradation"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The node, at the level that the tests force."""
    with running_daemon(tmp_path_factory.mktemp("degraded"), CONFIG) as daemon:
        yield daemon


def _admin(daemon: Daemon, method: str, path: str, **sent: Any) -> httpx.Response:
    token = (daemon.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
    headers = {"authorization": f"Bearer {token}"}
    return httpx.request(method, daemon.admin_url + path, headers=headers, timeout=HANGS_S, **sent)


def _force(daemon: Daemon, level: str) -> Any:
    answer = _admin(daemon, "PUT", DEGRADATION, json={"level": level})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _ask(
    daemon: Daemon, text: str = "hello", *, client: str = "", model: str = "m"
) -> httpx.Response:
    return httpx.post(
        daemon.url + "/v1/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": text}]},
        headers={"authorization": f"Bearer {client}"} if client else {},
        timeout=HANGS_S,
    )


def _crowd(daemon: Daemon) -> list[httpx.Response]:
    return [
        _ask(daemon, f"question {number}", client=f"client-{number}") for number in range(CROWD)
    ]


@pytest.mark.parametrize("level", [each.value for each in LEVELS])
def test_each_level_is_forced_and_seen(daemon: Daemon, level: str) -> None:
    """In the answer, in what is read afterwards, in health, and in a header."""
    told = _force(daemon, level)
    assert (told["level"], told["forced"], told["automatic_level"]) == (level, True, "healthy")
    assert told["accepting_requests"] is (level != "emergency")
    assert _admin(daemon, "GET", DEGRADATION).json()["strategies"] == told["strategies"]
    health = httpx.get(daemon.url + "/api/health", timeout=HANGS_S).json()
    assert health["degradation_level"] == level
    header = None if level == "healthy" else level
    assert _ask(daemon).headers.get("x-cortexd-degradation") == header


def test_auto_lets_go(daemon: Daemon) -> None:
    """And the history tells of both changes, the last one first."""
    _force(daemon, "major_issues")
    told = _force(daemon, "auto")
    assert (told["level"], told["forced"], told["strategies"]) == ("healthy", False, [])
    last, before = told["history"][:2]
    assert (last["after"], before["after"], before["forced"]) == ("healthy", "major_issues", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"level": "perfect"}, "invalid_value"),
        ({"level": 3}, "invalid_type"),
        ({}, "missing_required_parameter"),
        ({"level": "auto", "for": "ever"}, "unsupported_parameter"),
    ],
)
def test_what_is_no_level_changes_nothing(daemon: Daemon, body: Any, code: str) -> None:
    """A 400 that says which word would do."""
    _force(daemon, "minor_issues")
    answer = _admin(daemon, "PUT", DEGRADATION, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert _admin(daemon, "GET", DEGRADATION).json()["level"] == "minor_issues"


@pytest.mark.parametrize(
    ("level", "least", "most"),
    [
        ("healthy", 1.0, 1.0),
        ("minor_issues", 1.0, 1.0),
        ("major_issues", 0.4, 0.95),
        ("critical", 0.05, 0.6),
        ("emergency", 0.0, 0.0),
    ],
)
def test_a_share_of_the_clients_is_served(
    daemon: Daemon, level: str, least: float, most: float
) -> None:
    """The others are told when to come again, in their dialect."""
    _admin(daemon, "POST", "/admin/cache/purge")
    _force(daemon, level)
    answers = _crowd(daemon)
    served = [answer for answer in answers if answer.status_code == 200]
    shed = [answer for answer in answers if answer.status_code != 200]
    assert least <= len(served) / CROWD <= most
    for answer in shed:
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "request_shed")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["x-cortexd-degradation"] == level


def test_who_is_turned_away_is_not_read(daemon: Daemon) -> None:
    """What would be refused as no JSON at all is not looked at."""
    _admin(daemon, "POST", "/admin/cache/purge")
    _force(daemon, "emergency")
    answer = httpx.post(
        daemon.url + "/v1/chat/completions",
        content=b"{" * 1000,
        headers={"content-type": "application/json"},
        timeout=HANGS_S,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "request_shed")


def test_a_worker_that_says_nothing_is_given_up_sooner(daemon: Daemon) -> None:
    """After 0.2 s here, and not after twenty."""
    _force(daemon, "minor_issues")
    answer = _ask(daemon, model="slow")
    assert answer.status_code == 504
    assert answer.headers["x-cortexd-degradation"] == "minor_issues"


def test_in_an_emergency_kept_answers_are_given(daemon: Daemon) -> None:
    """Though they have expired; whatever else is asked is turned away."""
    _force(daemon, "healthy")
    assert _ask(daemon, "kept", client="c").headers["x-cortexd-cache"] == "miss"
    _force(daemon, "emergency")
    kept = _ask(daemon, "kept", client="c")
    assert (kept.status_code, kept.headers["x-cortexd-cache"]) == (200, "stale")
    assert kept.json()["choices"][0]["message"]["content"] == "all is well"
    assert _ask(daemon, "something else", client="c").status_code == 503
    assert _ask(daemon, "kept", client="another").status_code == 503


def test_health_has_details_for_operators(daemon: Daemon) -> None:
    """On the admin listener, when they ask for them; and the last checks."""
    plain = _admin(daemon, "GET", "/admin/health").json()
    detailed = _admin(daemon, "GET", "/admin/health?detailed=true").json()
    added = {"pools", "metrics", "cache", "circuits", "alerts", "dlq", "system", "cluster"}
    assert detailed.keys() - plain.keys() == added
    assert detailed["system"]["descriptors"] > 3
    assert _admin(daemon, "GET", "/admin/health?detailed=perhaps").status_code == 400
    history = _admin(daemon, "GET", "/admin/health/history").json()
    assert history["total"] == len(history["items"]) >= 2
    assert {check["worker"] for check in history["items"]} == {"talker", "silent"}
    assert all(check["passed"] for check in history["items"])


def test_the_probes(daemon: Daemon) -> None:
    """Alive, started, ready: whatever level was forced."""
    for path, words in (
        ("livez", {"alive"}),
        ("startupz", {"started"}),
        # An alert may say that the node is degraded, which does not keep it from serving.
        ("readyz", {"healthy", "warning"}),
    ):
        answer = httpx.get(f"{daemon.url}/{path}", timeout=HANGS_S)
        assert answer.status_code == 200
        assert answer.json()["status"] in words
