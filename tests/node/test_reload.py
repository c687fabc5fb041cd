"""A real node reads its configuration again: all of it is taken, and no stream notices."""

import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.daemon import Daemon
from tests.node.chats import chatting
from tests.operator import HANGS_S, Operator, operating, wait_until

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

TEXT = "word " * 40

CONFIG = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{ repeat = 40, steps = [{ wait = 0.05 }, { say = "word " }] }]

[[workers]]
name = "other"
type = "scripted"
priority = 50
models = ["o"]
script = [{ say = "from the other" }]

[routing]
aliases = { fast = ["talker/m"] }
[pool]
strategy = "local_first"
[degradation]
enabled = false
"""


@pytest.fixture
def operator(start_daemon: Any) -> Iterator[Operator]:
    """Of a node with two workers and an alias."""
    daemon: Daemon = start_daemon(CONFIG)
    with operating(daemon) as operator:
        yield operator


def _ask(operator: Operator, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    return httpx.post(f"{operator.daemon.url}/v1/chat/completions", json=body, timeout=HANGS_S)


def _reload(operator: Operator) -> dict[str, Any]:
    answer = operator.ask("POST", "/admin/reload")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_what_can_change_does_and_the_rest_is_named(operator: Operator) -> None:
    """Workers, aliases and settings at once, while eight clients read on."""
    _ask(operator, "o")
    operator.ask("POST", "/admin/workers/other/deactivate")
    operator.edit('aliases = { fast = ["talker/m"] }', 'aliases = { quick = ["other/o"] }')
    operator.edit('strategy = "local_first"', 'strategy = "round_robin"')
    operator.edit("priority = 50", "priority = 60")
    operator.edit('name = "talker"', 'name = "successor"')
    operator.edit("[cache]\nenabled = false", "[cache]\nenabled = true\nmax_bytes = 1000000")
    operator.edit("drain_seconds = 5.0", "drain_seconds = 6.0")
    with chatting(operator.daemon.url, count=8, model="talker/m") as chats:
        with operator.events("?kinds=config_reloaded") as events:
            done = _reload(operator)
            told = next(events)
        assert not any(chat.ended.is_set() for chat in chats)

    expected = {
        "workers.talker: removed",
        "workers.successor: added",
        "workers.other: changed (priority)",
        "routing.aliases: changed",
        "pool.strategy: changed",
        "cache.enabled: changed",
        "cache.max_bytes: changed",
    }
    assert set(done["changes"]) == set(told.data["changes"]) == expected
    assert done["restart_needed"] == ["node.drain_seconds"]
    assert [(chat.text, chat.is_whole, chat.failure) for chat in chats] == [(TEXT, True, None)] * 8

    listed = operator.get("/admin/workers")["items"]
    by_name = {worker["name"]: worker for worker in listed}
    assert set(by_name) == {"other", "successor"}
    assert by_name["other"]["priority"] == 60
    assert by_name["other"]["active"] is False
    assert by_name["successor"]["until_restart"] is False
    operator.ask("POST", "/admin/workers/other/activate")
    assert _ask(operator, "quick").headers["x-cortexd-worker"] == "other"
    assert _ask(operator, "fast").status_code == 404
    models = httpx.get(f"{operator.daemon.url}/v1/models", timeout=HANGS_S).json()["data"]
    assert "quick" in {model["id"] for model in models}
    config = operator.get("/admin/config")
    assert config["pool"]["strategy"] == "round_robin"
    assert config["node"]["drain_seconds"] == 5.0
    assert operator.get("/admin/dashboard")["pools"]["strategy"] == "round_robin"
    assert operator.get("/admin/cache")["bytes_max"] == 1_000_000
    assert [_ask(operator, "o").headers["x-cortexd-cache"] for _ in range(2)] == ["miss", "hit"]

    again = _reload(operator)
    assert again == {"changes": [], "restart_needed": ["node.drain_seconds"]}


def test_a_hup_reloads(operator: Operator) -> None:
    """As a service manager asks for it; the log says what has changed."""
    operator.edit('strategy = "local_first"', 'strategy = "least_loaded"')
    operator.daemon.process.send_signal(signal.SIGHUP)

    wait_until(lambda: operator.get("/admin/config")["pool"]["strategy"] == "least_loaded")

    wait_until(lambda: "configuration reloaded" in operator.daemon.log)
    assert "pool.strategy: changed" in operator.daemon.log


def test_settings_of_workers_breakers_and_checks_take_hold(operator: Operator) -> None:
    """Not only in the document: the breaker opens where it would not have before."""
    operator.edit("[breaker]\nenabled = false", "[breaker]\nenabled = true\nfailures_in_a_row = 2")
    operator.edit('say = "from the other"', 'fail = "server_error"')
    operator.edit("[degradation]", "[health]\ninterval_seconds = 300\n[degradation]")
    done = _reload(operator)
    assert {
        "breaker.enabled: changed",
        "breaker.failures_in_a_row: changed",
        "workers.other: changed (script)",
        "health.interval_seconds: changed",
    } <= set(done["changes"])

    for _ in range(2):
        _ask(operator, "other/o")

    assert operator.worker("other")["breaker"]["state"] == "open"


def test_workers_that_were_added_stay_and_those_removed_come_back(operator: Operator) -> None:
    """The file knows nothing of the first, and has the second."""
    operator.ask("POST", "/admin/workers", {"name": "added", "type": "scripted"})
    operator.ask("DELETE", "/admin/workers/other")

    assert _reload(operator)["changes"] == ["workers.other: added"]

    names = [worker["name"] for worker in operator.get("/admin/workers")["items"]]
    assert sorted(names) == ["added", "other", "talker"]


def test_twenty_reloads_cut_no_stream(operator: Operator) -> None:
    """Each replaces both workers and the whole pipeline."""
    with chatting(operator.daemon.url, count=8, model="m") as chats:
        for number in range(20):
            before, after = f"weight = {number}.5", f"weight = {number + 1}.5"
            if number == 0:
                operator.edit('type = "scripted"', f'type = "scripted"\n{after}')
            else:
                operator.edit(before, after)
            assert len(_reload(operator)["changes"]) == 2

    assert [(chat.text, chat.is_whole, chat.failure) for chat in chats] == [(TEXT, True, None)] * 8
    assert operator.worker("talker")["weight"] == 20.5
    assert operator.worker("talker")["in_flight"] == 0


def test_client_keys_and_limits_of_the_file_change_without_a_restart(operator: Operator) -> None:
    """How a key of the configuration is rotated: the old one opens nothing any more."""
    created = operator.ask("POST", "/admin/keys", {"name": "for its digest"}).json()
    assert operator.ask("DELETE", f"/admin/keys/{created['id']}").status_code == 200
    entry = f'[[keys]]\nid = "rotated1"\nhmac = "{created["hmac"]}"\n[degradation]'
    operator.edit("[degradation]", f"[limits]\nnormal_requests_per_minute = 7\n{entry}")

    done = _reload(operator)

    assert {"keys: changed", "limits.normal_requests_per_minute: changed"} <= set(done["changes"])
    wait_until(lambda: "rotated1" in {key["id"] for key in operator.get("/admin/keys")["items"]})
    assert created["hmac"] not in str(operator.get("/admin/config"))
