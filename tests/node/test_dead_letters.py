"""Requests that failed for good, on a real node: kept, listed, shown, tried again, thrown away."""

import json
import sqlite3
from typing import Any

import httpx
import pytest

from tests.daemon import Daemon

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

WORKERS = """
[[workers]]
name = "broken"
type = "scripted"
models = ["broken"]
script = [{ fail = "server_error" }]

[[workers]]
name = "breaking"
type = "scripted"
models = ["breaking"]
resume = "off"
script = [{ say = "half an ans" }, { fail = "server_error" }]

[[workers]]
name = "passing"
type = "scripted"
models = ["passing"]
script = [{ fail = "server_error" }]

[routing]
aliases = { nowhere = ["broken/broken"] }
"""

SECRET_PROMPT = "the colour of the third key"
CLIENT_KEY = "sk-client-secret-4711"

DOORS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": SECRET_PROMPT}]},
    "/v1/messages": {
        "messages": [{"role": "user", "content": SECRET_PROMPT}],
        "max_tokens": 9,
    },
    "/api/chat": {"messages": [{"role": "user", "content": SECRET_PROMPT}]},
    "/api/generate": {"prompt": SECRET_PROMPT},
}


class Operator:
    """Asks the admin listener."""

    def __init__(self, daemon: Daemon) -> None:
        token = (daemon.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
        self._url = daemon.admin_url
        self._headers = {"authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, **settings: Any) -> httpx.Response:
        """One operation."""
        url = self._url + path
        return httpx.request(method, url, headers=self._headers, timeout=60, **settings)

    def show(self, letter: str) -> Any:
        """A letter with everything."""
        return self.ask("GET", f"/admin/dlq/{letter}").json()


@pytest.fixture(scope="module")
def daemon(start_daemon: Any) -> Daemon:
    """A node with workers that fail."""
    started: Daemon = start_daemon(WORKERS)
    return started


@pytest.fixture
def operator(daemon: Daemon) -> Operator:
    """Who is on call; begins with an empty queue."""
    operator = Operator(daemon)
    assert operator.ask("POST", "/admin/dlq/purge", json={}).status_code == 200
    return operator


def _fail(daemon: Daemon, path: str = "/v1/chat/completions", **fields: Any) -> httpx.Response:
    document = {"model": "broken", **DOORS[path], **fields}
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "anthropic-version": "2023-06-01"}
    return httpx.post(daemon.url + path, json=document, headers=headers, timeout=30)


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_failed_request_is_kept_and_can_be_tried_again(
    daemon: Daemon, operator: Operator, path: str, *, stream: bool
) -> None:
    """At every door: the id in the answer leads to the request, and to the answer of a retry."""
    failed = _fail(daemon, path, stream=stream)
    letter = failed.headers["x-cortexd-dead-letter"]

    assert failed.status_code == 502
    listed = operator.ask("GET", "/admin/dlq").json()
    assert [item["id"] for item in listed["items"]] == [letter]
    shown = operator.show(letter)
    assert shown["request"]["model"] == "broken"
    assert SECRET_PROMPT in json.dumps(shown["request"])
    assert shown["path"] == path
    assert shown["error"]["kind"] == "server_error"
    assert shown["attempts"] == [{"worker": "broken", "error": "as its script says"}]
    assert shown["retried"] is None

    retried = operator.ask("POST", f"/admin/dlq/{letter}/retry")

    assert retried.status_code == 200
    assert retried.json()["retried"]["status"] == 502
    assert retried.json() == operator.show(letter)
    assert operator.ask("GET", "/admin/dlq").json()["total"] == 1


def test_a_retry_that_is_answered_has_the_answer(
    daemon: Daemon, operator: Operator, start_daemon: Any
) -> None:
    """Whole, though the client had asked for a stream."""
    working = start_daemon(
        '[[workers]]\nname = "broken"\ntype = "scripted"\nmodels = ["broken"]\n'
        'script = [{ say = "all is well" }]\n'
    )
    letter = _fail(daemon, stream=True, stream_options={"include_usage": True}).headers[
        "x-cortexd-dead-letter"
    ]
    # The queue of the node that fails becomes that of one which does not, once it has a file.
    other = Operator(working)
    assert other.ask("GET", "/admin/dlq").json()["total"] == 0
    source = sqlite3.connect(daemon.folder / "state" / "dead_letters.db")
    target = sqlite3.connect(working.folder / "state" / "dead_letters.db")
    for table in ("letters", "contents"):
        rows = source.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  ours
        marks = ", ".join("?" * len(rows[0]))
        target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  ours
    target.commit()
    source.close()
    target.close()

    item = other.ask("POST", f"/admin/dlq/{letter}/retry").json()

    assert item["retried"]["status"] == 200
    answer = item["retried"]["answer"]
    assert answer["choices"][0]["message"]["content"] == "all is well"
    assert item["retries"] == {
        "count": 1,
        "last": {"at": item["retried"]["at"], "status": 200},
    }


def test_a_stream_that_broke_is_kept_without_a_header(daemon: Daemon, operator: Operator) -> None:
    """Its head had gone out by then."""
    broken = _fail(daemon, model="breaking", stream=True)

    assert broken.status_code == 200
    assert "x-cortexd-dead-letter" not in broken.headers
    assert "[DONE]" not in broken.text
    [item] = operator.ask("GET", "/admin/dlq").json()["items"]
    assert item["request_id"] == broken.headers["x-request-id"]
    lines = [json.loads(line) for line in daemon.log.splitlines()]
    [ended] = [
        line
        for line in lines
        if line["event"] == "exchange ended" and line["request_id"] == item["request_id"]
    ]
    assert ended["dead_letter"] == item["id"]


def test_what_was_refused_is_not_kept(daemon: Daemon, operator: Operator) -> None:
    """Nor a model that is not there, nor what is no JSON."""
    _fail(daemon, temperature="hot")
    _fail(daemon, model="unheard-of")
    httpx.post(daemon.url + "/v1/chat/completions", content=b"{", timeout=30)
    assert operator.ask("GET", "/admin/dlq").json()["total"] == 0


def test_letters_are_listed_in_pages_and_by_error(daemon: Daemon, operator: Operator) -> None:
    """Newest first; the cursor leads on."""
    kept = [_fail(daemon).headers["x-cortexd-dead-letter"] for _ in range(5)]

    found, cursor = [], ""
    while True:
        page = operator.ask("GET", f"/admin/dlq?limit=2{cursor}").json()
        found += [item["id"] for item in page["items"]]
        assert page["total"] == 5
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert found == kept[::-1]
    assert operator.ask("GET", "/admin/dlq?error=timed_out").json()["items"] == []
    assert operator.ask("GET", "/admin/dlq?error=server_error").json()["total"] == 5
    for wrong in ("limit=0", "limit=201", "limit=two", "limit=", "page=2", "limit=1&limit=2"):
        assert operator.ask("GET", f"/admin/dlq?{wrong}").status_code == 400, wrong


def test_letters_are_thrown_away(daemon: Daemon, operator: Operator) -> None:
    """One, those of an age, or all."""
    kept = [_fail(daemon).headers["x-cortexd-dead-letter"] for _ in range(3)]

    assert operator.ask("DELETE", f"/admin/dlq/{kept[0]}").json() == {"deleted": True}
    assert operator.ask("DELETE", f"/admin/dlq/{kept[0]}").status_code == 404
    assert operator.ask("GET", f"/admin/dlq/{kept[0]}").status_code == 404
    assert operator.ask("POST", f"/admin/dlq/{kept[0]}/retry").status_code == 404
    old = operator.ask("POST", "/admin/dlq/purge", json={"older_than_seconds": 3600})
    assert old.json() == {"purged": 0}
    for wrong in ({"older_than": 1}, {"older_than_seconds": -1}, {"older_than_seconds": "1"}):
        assert operator.ask("POST", "/admin/dlq/purge", json=wrong).status_code == 400
    assert operator.ask("POST", "/admin/dlq/purge", json={}).json() == {"purged": 2}


def test_the_queue_needs_the_admin_token(daemon: Daemon) -> None:
    """None of it is for clients."""
    for method, path in (
        ("GET", "/admin/dlq"),
        ("GET", "/admin/dlq/dl-1"),
        ("DELETE", "/admin/dlq/dl-1"),
        ("POST", "/admin/dlq/dl-1/retry"),
        ("POST", "/admin/dlq/purge"),
    ):
        assert httpx.request(method, daemon.admin_url + path).status_code == 401
        assert httpx.request(method, daemon.url + path).status_code in {404, 405}


def test_no_credential_is_kept(daemon: Daemon, operator: Operator) -> None:
    """The client's key was in a header, and no header is kept."""
    _fail(daemon)
    for path in (daemon.folder / "state").glob("dead_letters.db*"):
        assert CLIENT_KEY.encode() not in path.read_bytes(), path


def test_bodies_are_not_kept_where_they_are_not_wanted(start_daemon: Any) -> None:
    """The letter is, but it cannot be tried again; the prompt is nowhere in the file."""
    daemon = start_daemon(WORKERS + "[dlq]\nstore_body = false\n")
    letter = _fail(daemon).headers["x-cortexd-dead-letter"]
    operator = Operator(daemon)

    shown = operator.show(letter)
    assert (shown["has_body"], shown["request"]) == (False, None)
    refused = operator.ask("POST", f"/admin/dlq/{letter}/retry")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "no_body")
    for path in (daemon.folder / "state").glob("dead_letters.db*"):
        assert SECRET_PROMPT.encode() not in path.read_bytes(), path


def test_nothing_is_kept_where_it_is_switched_off(start_daemon: Any) -> None:
    """The error is the same, but for the header."""
    daemon = start_daemon(WORKERS + "[dlq]\nenabled = false\n")
    failed = _fail(daemon)
    assert failed.status_code == 502
    assert "x-cortexd-dead-letter" not in failed.headers
    assert Operator(daemon).ask("GET", "/admin/dlq").json()["total"] == 0


def test_letters_survive_the_node(start_daemon: Any) -> None:
    """A stop, and the flush before it."""
    daemon = start_daemon(WORKERS)
    letter = _fail(daemon).headers["x-cortexd-dead-letter"]
    assert daemon.stop() == 0
    connection = sqlite3.connect(daemon.folder / "state" / "dead_letters.db")
    assert connection.execute("SELECT id FROM letters").fetchall() == [(letter,)]
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert not (daemon.folder / "state" / "dead_letters.db-wal").exists()
