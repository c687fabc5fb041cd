"""Operators add, remove and switch workers of a real node, while clients chat with it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.daemon import Daemon
from tests.node.chats import chatting
from tests.operator import HANGS_S, Operator, operating, wait_until

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

WORDS = 40
TEXT = "word " * WORDS

TALKER = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{ repeat = 40, steps = [{ wait = 0.05 }, { say = "word " }] }]
"""

SPARE: dict[str, Any] = {
    "name": "spare",
    "type": "scripted",
    "models": ["m"],
    "script": [{"say": "from the spare"}],
}


@pytest.fixture(scope="module")
def daemon(start_daemon: Any) -> Daemon:
    """A node with one worker, which takes two seconds for an answer; at its best at all times."""
    daemon: Daemon = start_daemon(TALKER + "[degradation]\nenabled = false\n")
    return daemon


@pytest.fixture
def operator(daemon: Daemon) -> Iterator[Operator]:
    """Of that node, with the workers of its file and no other."""
    with operating(daemon) as operator:
        yield operator
        for worker in operator.get("/admin/workers")["items"]:
            if worker["until_restart"]:
                operator.ask("DELETE", f"/admin/workers/{worker['name']}")
        operator.ask("POST", "/admin/reload")
        operator.ask("POST", "/admin/workers/talker/activate")
        operator.ask("POST", "/admin/workers/talker/check")


def _ask(operator: Operator, model: str = "auto") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    return httpx.post(f"{operator.daemon.url}/v1/chat/completions", json=body, timeout=HANGS_S)


def test_a_worker_is_added_checked_used_and_removed(operator: Operator) -> None:
    """Its whole life at run time; the documents say that it ends with the node."""
    added = operator.ask("POST", "/admin/workers", SPARE)
    assert added.status_code == 201
    assert (added.json()["name"], added.json()["until_restart"]) == ("spare", True)
    assert operator.worker("talker")["until_restart"] is False

    checked = operator.ask("POST", "/admin/workers/spare/check")
    assert (checked.status_code, checked.json()["status"]) == (200, "available")

    listed = operator.get("/admin/workers")
    assert [worker["name"] for worker in listed["items"]] == ["talker", "spare"]
    assert (listed["total"], listed["next_cursor"]) == (2, None)

    answer = _ask(operator, "spare/m")
    assert answer.json()["choices"][0]["message"]["content"] == "from the spare"

    removed = operator.ask("DELETE", "/admin/workers/spare")
    assert (removed.status_code, removed.json()) == (202, {"name": "spare", "draining": True})
    assert operator.ask("GET", "/admin/workers/spare").status_code == 404
    assert _ask(operator, "spare/m").status_code == 404


def test_a_taken_name_is_a_conflict(operator: Operator) -> None:
    """Whether the file has taken it or another operator; nothing has changed."""
    answer = operator.ask("POST", "/admin/workers", {**SPARE, "name": "talker"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "name_taken")
    assert operator.get("/admin/workers")["total"] == 1


def test_all_that_is_wrong_with_a_worker_is_said_at_once(operator: Operator) -> None:
    """In the words that the check of the file has for it."""
    wrong = {**SPARE, "name": "no good", "weight": -1, "modles": [], "base_url": "http://x"}
    answer = operator.ask("POST", "/admin/workers", wrong)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_worker")
    assert {problem.partition(":")[0] for problem in error["problems"]} == {
        "name",
        "weight",
        "modles",
        "base_url",
    }


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"[]", 400), (b'{"name": "a", "name": "b"}', 400), (b'"spare"', 400)],
)
def test_what_is_no_table_is_refused(operator: Operator, content: bytes, status: int) -> None:
    """A request of that kind is wrong in form, not in what it asks."""
    answer = operator.client.post(
        "/admin/workers", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert operator.client.post("/admin/workers", content=b"{}").status_code == 415


def test_an_embedded_model_cannot_be_added(operator: Operator) -> None:
    """And the answer says why, and what to do instead."""
    answer = operator.ask("POST", "/admin/workers", {"name": "e", "type": "embedded"})
    assert answer.status_code == 422
    assert "restart" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/workers/nobody"),
        ("DELETE", "/admin/workers/nobody"),
        ("POST", "/admin/workers/nobody/activate"),
        ("POST", "/admin/workers/nobody/deactivate"),
        ("POST", "/admin/workers/nobody/check"),
        ("POST", "/admin/breakers/nobody/reset"),
    ],
)
def test_a_worker_that_is_not_there_is_not_found(
    operator: Operator, method: str, path: str
) -> None:
    """Whatever is asked of it."""
    answer = operator.ask(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_streams_survive_the_removal_of_their_worker(operator: Operator) -> None:
    """Eight clients read to the end what a worker says that has been removed."""
    with chatting(operator.daemon.url, count=8) as chats:
        assert operator.ask("DELETE", "/admin/workers/talker").status_code == 202
        assert _ask(operator).status_code == 503
        assert not any(chat.ended.is_set() for chat in chats)

    assert [(chat.text, chat.is_whole, chat.failure) for chat in chats] == [(TEXT, True, None)] * 8


def test_streams_survive_a_deactivation(operator: Operator) -> None:
    """New requests go elsewhere; what was begun goes on; then it is as before."""
    assert operator.ask("POST", "/admin/workers", SPARE).status_code == 201
    operator.ask("POST", "/admin/workers/spare/check")
    with chatting(operator.daemon.url, count=4, model="talker/m") as chats:
        off = operator.ask("POST", "/admin/workers/talker/deactivate")
        assert (off.status_code, off.json()["active"], off.json()["skipped"]) == (
            200,
            False,
            "deactivated",
        )
        assert {_ask(operator).headers["x-cortexd-worker"] for _ in range(10)} == {"spare"}
        assert operator.worker("talker")["in_flight"] == 4

    assert [(chat.text, chat.is_whole, chat.failure) for chat in chats] == [(TEXT, True, None)] * 4
    on = operator.ask("POST", "/admin/workers/talker/activate")
    assert (on.status_code, on.json()["active"]) == (200, True)
    assert _ask(operator, "talker/m").status_code == 200


def test_a_worker_can_come_back_under_its_name(operator: Operator) -> None:
    """While those who use its predecessor are still reading."""
    with chatting(operator.daemon.url, count=2) as chats:
        operator.ask("DELETE", "/admin/workers/talker")
        namesake = {**SPARE, "name": "talker"}
        again = operator.ask("POST", "/admin/workers", namesake)
        assert again.status_code == 201
        operator.ask("POST", "/admin/workers/talker/check")
        assert "from the spare" in _ask(operator).text

    assert [(chat.text, chat.is_whole) for chat in chats] == [(TEXT, True)] * 2
    # The name is that of the file, which takes it back.
    assert operator.ask("POST", "/admin/reload").json()["changes"] == [
        "workers.talker: changed (script)"
    ]


def test_a_check_of_a_dead_worker_says_so_and_quotes_nobody(operator: Operator) -> None:
    """The verdict is waited for: it is not the one from before."""
    dead = {"name": "dead", "type": "openai", "base_url": "http://127.0.0.1:9/v1"}
    assert operator.ask("POST", "/admin/workers", dead).status_code == 201
    checked = operator.ask("POST", "/admin/workers/dead/check")
    assert (checked.status_code, checked.json()["status"]) == (200, "unavailable")
    assert "refused" in checked.json()["reason"]


BREAKING = """
[[workers]]
name = "broken"
type = "scripted"
script = [{ fail = "server_error" }]
[breaker]
failures_in_a_row = 2
open_seconds = 300
"""


def test_a_breaker_is_reset(start_daemon: Any) -> None:
    """What has opened is closed, with its counts at nought and its history kept."""
    with operating(start_daemon(BREAKING)) as operator:
        for _ in range(2):
            _ask(operator)
        assert operator.worker("broken")["breaker"]["state"] == "open"

        reset = operator.ask("POST", "/admin/breakers/broken/reset")

        assert reset.status_code == 200
        assert (reset.json()["state"], reset.json()["failures_in_a_row"]) == ("closed", 0)
        assert [change["after"] for change in reset.json()["history"]] == ["open", "closed"]
        assert operator.worker("broken")["breaker"]["state"] == "closed"


CACHING = """
[[workers]]
name = "one"
type = "scripted"
script = [{ say = "an answer" }]
[cache]
enabled = true
"""


def test_the_cache_is_shown_and_emptied(start_daemon: Any) -> None:
    """What has been kept is asked for anew afterwards."""
    with operating(start_daemon(CACHING)) as operator:
        for expected in ("miss", "hit"):
            assert _ask(operator).headers["x-cortexd-cache"] == expected
        before = operator.get("/admin/cache")
        assert (before["enabled"], before["entries"], before["hits"], before["misses"]) == (
            True,
            1,
            1,
            1,
        )
        assert before["hit_rate"] == 0.5
        assert operator.get("/admin/dashboard")["cache"]["entries"] == 1

        assert operator.ask("POST", "/admin/cache/purge").json() == {"purged": 1}

        assert operator.get("/admin/cache")["entries"] == 0
        assert operator.get("/admin/cache")["bytes"] == 0
        assert _ask(operator).headers["x-cortexd-cache"] == "miss"


def test_requests_are_listed_with_their_path(operator: Operator) -> None:
    """The latest first: who was asked, why, and what came of it; no word of what was said."""
    operator.ask("POST", "/admin/workers", {**SPARE, "script": [{"fail": "server_error"}]})
    operator.ask("POST", "/admin/workers/spare/check")
    _ask(operator, "spare/m")
    _ask(operator, "talker/m")

    listed = wait_until(
        lambda: (
            found
            if (found := operator.get("/admin/requests"))["items"][0]["outcome"] == "served"
            else None
        )
    )

    served, failed = listed["items"][:2]
    assert (served["outcome"], served["worker"], served["attempts"]) == ("served", "talker", 1)
    assert served["candidates"] == ["talker: taken"]
    assert (failed["outcome"], failed["worker"]) == ("failed", None)
    assert failed["failures"]
    assert served["ended_at"] > failed["ended_at"]
    assert "hello" not in str(listed)


CANARY = b"what nobody outside may read"


class InternalPage(BaseHTTPRequestHandler):
    """A page of a network that whoever adds workers may not read: by its path, in some form."""

    def do_GET(self) -> None:
        """Answer as the first part of the path says."""
        status, kind, body = {
            "error": (500, "text/plain", CANARY),
            "json-error": (403, "application/json", b'{"error": {"message": "%b"}}' % CANARY),
            "page": (200, "text/html", b"<p>%b</p>" % CANARY),
            "document": (200, "application/json", b'{"data": "%b"}' % CANARY),
            "objects": (200, "application/json", b'{"data": [{"id": 1, "x": "%b"}]}' % CANARY),
            "redirect": (302, "text/plain", CANARY),
        }[self.path.split("/")[1]]
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/page")
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def internal_url() -> Iterator[str]:
    """Where that page is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), InternalPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["error", "json-error", "page", "document", "objects", "redirect"])
def test_what_a_probe_is_answered_is_told_to_nobody(
    page: str, operator: Operator, internal_url: str
) -> None:
    """Whoever may add a worker cannot read the node's network by it; nor are redirects followed."""
    worker = {"name": page, "type": "openai", "base_url": f"{internal_url}/{page}"}
    seen = operator.ask("POST", "/admin/workers", worker).text

    checked = operator.ask("POST", f"/admin/workers/{page}/check")

    assert checked.json()["status"] == "unavailable"
    assert checked.json()["reason"]
    for path in ("workers", "dashboard", "health?detailed=true", "health/history", "alerts"):
        seen += operator.ask("GET", f"/admin/{path}").text
    seen += checked.text + httpx.get(f"{operator.daemon.url}/api/health", timeout=HANGS_S).text
    assert CANARY.decode() not in seen + operator.daemon.log
