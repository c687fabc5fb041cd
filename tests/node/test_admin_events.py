"""Operators watch a real node: its events as they happen, and its tree with what has gone wrong."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.daemon import Daemon
from tests.operator import HANGS_S, Operator, ServerSentEvent, operating

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CANARY = "sk-canary-key-0123456789"
PROMPT = "the canary of the prompt"

WORKERS = """
[[workers]]
name = "one"
type = "scripted"
script = [{ say = "an answer" }]

[[workers]]
name = "dead"
type = "openai"
base_url = "http://127.0.0.1:9/v1"
api_keys = ["env:CANARY"]
"""


@pytest.fixture(scope="module")
def daemon(start_daemon: Any) -> Daemon:
    """A node with a worker that answers and one that cannot."""
    daemon: Daemon = start_daemon(WORKERS, environ={"CANARY": CANARY})
    return daemon


@pytest.fixture
def operator(daemon: Daemon) -> Iterator[Operator]:
    """Of that node."""
    with operating(daemon) as operator:
        yield operator


def _ask(operator: Operator) -> None:
    body = {"model": "one/scripted", "messages": [{"role": "user", "content": PROMPT}]}
    answer = httpx.post(f"{operator.daemon.url}/v1/chat/completions", json=body, timeout=HANGS_S)
    assert answer.status_code == 200


def _next(events: Iterator[ServerSentEvent], kind: str) -> ServerSentEvent:
    return next(event for event in events if event.kind == kind)


def test_events_arrive_as_they_happen(operator: Operator) -> None:
    """Numbered, with a kind, a time and what there is to say."""
    operator.ask("POST", "/admin/workers/dead/activate")
    with operator.events() as events:
        _ask(operator)
        ended = _next(events, "exchange_ended")
        operator.ask("POST", "/admin/workers/dead/deactivate")
        off = _next(events, "worker_deactivated")

    assert (ended.data["outcome"], ended.data["worker"]) == ("served", "one")
    assert off.data["worker"] == "dead"
    assert off.number is not None
    assert ended.number is not None
    assert off.number > ended.number
    assert off.data["at"] > ended.data["at"]


def test_a_reader_goes_on_where_it_stopped(operator: Operator) -> None:
    """What has happened in between is in the buffer, and nothing comes twice."""
    with operator.events() as events:
        operator.ask("POST", "/admin/workers/dead/activate")
        operator.ask("POST", "/admin/workers/dead/deactivate")
        last = _next(events, "worker_deactivated")
    operator.ask("POST", "/admin/workers/dead/activate")
    operator.ask("POST", "/admin/workers/dead/deactivate")

    with operator.events("?kinds=worker_activated,worker_deactivated", after=last.number) as events:
        kinds = [next(events).kind, next(events).kind]

    assert kinds == ["worker_activated", "worker_deactivated"]


def test_who_has_been_away_for_too_long_is_told(operator: Operator) -> None:
    """An id of another life of the node: a gap of unknown size, and then what is there."""
    _ask(operator)
    with operator.events(after=5) as events:
        gap, first = next(events), next(events)

    assert (gap.number, gap.kind, gap.data) == (None, "gap", {"missed": None})
    assert first.number is not None


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?kinds=exchange_endet", {}),
        ("?kinds=", {}),
        ("?kind=exchange_ended", {}),
        ("", {"last-event-id": "yesterday"}),
    ],
)
def test_what_cannot_be_meant_is_refused(
    operator: Operator, query: str, headers: dict[str, str]
) -> None:
    """Better than a stream in which nothing ever comes."""
    answer = operator.client.get(f"/admin/events{query}", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in {"kinds", "kind", "last-event-id"}


def test_no_secret_and_no_prompt_is_told(operator: Operator) -> None:
    """In no document of an operator, nor in any event."""
    _ask(operator)
    seen = ""
    for path in ("dashboard", "workers", "requests", "config", "tree", "breakers", "cache"):
        seen += operator.ask("GET", f"/admin/{path}").text
    with operator.events(after=0) as events:
        told = [next(events)]
        while told[-1].kind != "exchange_ended":
            told.append(next(events))
    seen += str(told)

    assert CANARY not in seen
    assert PROMPT not in seen


def test_the_tree_shows_mailboxes_and_what_has_ended(operator: Operator) -> None:
    """Each child with its latest ends; without any, an empty list."""
    tree = operator.get("/admin/tree")
    (workers,) = [child for child in tree["children"] if child["path"] == "root/workers"]
    registry = workers["children"][0]
    assert registry["path"] == "root/workers/worker-registry"
    assert (registry["mailbox_depth"], registry["exits"]) == (0, [])
    assert registry["handled"] > 0


ENGINE = """
[[workers]]
name = "embedded"
type = "embedded"
"""


def test_a_crash_is_an_event_and_a_part_of_the_tree_s_history(start_daemon: Any) -> None:
    """Who watches sees the engine end and come back; the tree knows why, and when."""
    daemon: Daemon = start_daemon(ENGINE)
    daemon.wait_available("embedded")
    with operating(daemon) as operator:
        with operator.events("?kinds=child_failed,child_restarted") as events:
            for pid in daemon.descendants():
                os.kill(pid, signal.SIGKILL)
            failed, restarted = next(events), next(events)
        tree = operator.get("/admin/tree")

    assert (failed.kind, restarted.kind) == ("child_failed", "child_restarted")
    assert failed.data["child"] == restarted.data["child"]
    (engines,) = [child for child in tree["children"] if child["path"] == "root/engines"]
    (engine,) = engines["children"]
    assert engine["restarts"] == 1
    (past,) = engine["exits"]
    assert past["incarnation"] == 1
    assert past["reason"].startswith("crashed: ")
    assert past["exited_at"].endswith("+00:00")


def test_streams_of_events_end_with_the_drain(start_daemon: Any) -> None:
    """Cleanly, and without holding up the node's end."""
    daemon: Daemon = start_daemon(WORKERS, environ={"CANARY": CANARY})
    with operating(daemon) as operator, operator.events() as events:
        _ask(operator)
        _next(events, "exchange_ended")
        daemon.process.send_signal(signal.SIGTERM)
        rest = list(events)
    assert daemon.process.wait(HANGS_S) == 0
    assert all(event.kind != "gap" for event in rest)
