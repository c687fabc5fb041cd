"""The load monitor of a real node, over its admin API and by `cortexctl`."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cortexd.ctl import main
from tests.daemon import Daemon
from tests.operator import HANGS_S, Operator, operating, wait_until

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

WORKERS = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{ wait = 0.02 }, { say = "hello" }]
[[workers]]
name = "broken"
type = "scripted"
models = ["broken"]
script = [{ fail = "server_error" }]
[breaker]
failures_in_a_row = 2
open_seconds = 300
[retry]
max_attempts = 1
[cache]
enabled = true
[degradation]
enabled = false
"""


@pytest.fixture(scope="module")
def daemon(start_daemon: Any) -> Daemon:
    """One node for all."""
    daemon: Daemon = start_daemon(WORKERS)
    daemon.wait_available("talker")
    return daemon


@pytest.fixture
def operator(daemon: Daemon) -> Iterator[Operator]:
    """Of that node; its load monitor is off when the test ends."""
    with operating(daemon) as operator:
        yield operator
        operator.ask("POST", "/admin/load-monitor/stop")


def _chat(daemon: Daemon, model: str, text: str) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    answer = httpx.post(f"{daemon.url}/v1/chat/completions", json=body, timeout=HANGS_S)
    return answer.status_code


def _samples(operator: Operator) -> Any:
    return operator.get("/admin/load-monitor")["samples"]


def test_a_run_from_its_start_to_its_sum(operator: Operator) -> None:
    """What clients have been through is in its samples, and all of it in the sum."""
    daemon = operator.daemon
    started = operator.ask("POST", "/admin/load-monitor/start", {"interval_seconds": 1})
    assert started.status_code == 200
    assert (started.json()["running"], started.json()["duration_seconds"]) == (True, 720.0)
    assert "samples" not in started.json()
    again = operator.ask("POST", "/admin/load-monitor/start", {})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_running")

    assert [_chat(daemon, "m", text) for text in "aab"] == [200] * 3
    assert 200 not in [_chat(daemon, "broken", text) for text in "ab"]
    samples = wait_until(lambda: found if len(found := _samples(operator)) > 1 else None)
    latest = samples[-1]
    assert latest["breakers"] == {"closed": 1, "open": 1, "half_open": 0}
    assert (latest["workers"], latest["pool"]) == (2, {"in_flight": 0, "queued": 0})
    assert latest["cache"]["entries"] >= 2
    assert latest["memory_mib"] > 10
    assert latest["tasks"] > 10

    stopped = operator.ask("POST", "/admin/load-monitor/stop").json()
    assert stopped["running"] is False
    assert stopped["stopped_at"] > stopped["started_at"]
    found = stopped["summary"]
    assert (found["requests"], found["errors"], found["error_rate"]) == (5, 2, 0.4)
    assert found["latency_ms"]["p99"] > 19
    assert found["series"]["memory_mib"]["max"] > 10
    shown = operator.get("/admin/load-monitor")
    assert len(shown.pop("samples")) == found["samples"]
    assert shown == stopped


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"interval_seconds": 0.5}, "interval_seconds"),
        ({"interval_seconds": "5"}, "interval_seconds"),
        ({"interval_seconds": 5, "duration_seconds": 3601}, "duration_seconds"),
        ({"interval_seconds": 5, "duration_seconds": 4}, "duration_seconds"),
        ({"interval": 5}, "interval"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(operator: Operator, wish: dict[str, object], param: str) -> None:
    """More samples than there is room for, above all; and nothing has begun."""
    refused = operator.ask("POST", "/admin/load-monitor/start", wish)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert operator.get("/admin/load-monitor")["running"] is False


def test_it_is_in_the_audit_trail(operator: Operator) -> None:
    """As all that operators do, and not what they only look at."""
    operator.ask("POST", "/admin/load-monitor/start", {})
    operator.get("/admin/load-monitor")
    operator.ask("POST", "/admin/load-monitor/stop")
    path = operator.daemon.folder / "state" / "audit.log"

    def kept() -> list[str]:
        return [json.loads(line)["path"] for line in path.read_text(encoding="utf-8").splitlines()]

    # An entry is written when the answer has been given.
    wait_until(lambda: kept()[-2:] == ["/admin/load-monitor/start", "/admin/load-monitor/stop"])
    assert "/admin/load-monitor" not in kept()


def test_cortexctl(operator: Operator) -> None:
    """Start, show, stop; and the node's own documents for programs."""
    token = str(operator.daemon.folder / "state" / "admin-token")

    def ctl(*arguments: str) -> str:
        asked = ["--url", operator.daemon.admin_url, "--token-file", token, *arguments]
        result = CliRunner().invoke(main, asked)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "running" in ctl("load-monitor", "start", "--interval", "1", "--duration", "600")
    _chat(operator.daemon, "m", "c")
    wait_until(lambda: _samples(operator))
    assert "requests/s" in ctl("load-monitor", "show")
    stopped = ctl("load-monitor", "stop")
    assert "memory_mib" in stopped
    assert "p95" in stopped
    assert json.loads(ctl("--json", "load-monitor", "show"))["summary"]["requests"] == 1
