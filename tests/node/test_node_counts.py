"""A real node counts right: each request once, whatever becomes of it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cortexd.domain.node_sample import SERIES
from tests.daemon import Daemon

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

StartDaemon: TypeAlias = Callable[..., Daemon]

WORKERS = """
[[workers]]
name = "talker"
type = "scripted"
models = ["talk"]
script = [{ repeat = 5, steps = [{ say = "word " }] }]
[[workers]]
name = "breaker"
type = "scripted"
models = ["long"]
priority = 1
script = [{ say = "one two three four five six " }, { fail = "unreachable" }]
[[workers]]
name = "resumer"
type = "scripted"
models = ["long"]
priority = 2
resume = "continue"
script = [{ say = "one two three four five six " }, { say = "seven" }]
[[workers]]
name = "broken"
type = "scripted"
models = ["none"]
script = [{ fail = "server_error" }]
[cache]
enabled = true
"""


class Counters:
    """The numbers of `/metrics`, read again each time they are asked for."""

    def __init__(self, node: Daemon) -> None:
        self._node = node

    def __call__(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def text(self) -> str:
        """All of it."""
        url = f"{self._node.admin_url}/metrics"
        answer = httpx.get(url, headers=_operator(self._node), timeout=20)
        assert answer.status_code == 200
        return answer.text


def _operator(node: Daemon) -> dict[str, str]:
    token = (node.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def node(start_daemon: StartDaemon) -> Daemon:
    """A node with a worker for each fate."""
    node = start_daemon(WORKERS)
    for name in ("talker", "resumer", "breaker", "broken"):
        node.wait_available(name)
    return node


@pytest.fixture
def counted(node: Daemon) -> Counters:
    """Its counters."""
    return Counters(node)


def _ask(node: Daemon, text: str, **asked: Any) -> httpx.Response:
    document = {"messages": [{"role": "user", "content": text}], **asked}
    return httpx.post(f"{node.url}/v1/chat/completions", json=document, timeout=20)


def _growth(counted: Counters, name: str, **labels: str) -> Callable[[], float]:
    before = counted(name, **labels)
    return lambda: counted(name, **labels) - before


def test_served(node: Daemon, counted: Counters) -> None:
    """Ten requests are ten requests, ten first tokens, ten attempts and fifty tokens."""
    grown = {
        name: _growth(counted, name, **labels)
        for name, labels in (
            ("cortexd_requests_total", {"door": "openai", "outcome": "served"}),
            ("cortexd_request_duration_seconds_count", {"door": "openai"}),
            ("cortexd_time_to_first_token_seconds_count", {"door": "openai"}),
            ("cortexd_gateway_overhead_seconds_count", {"door": "openai"}),
            ("cortexd_upstream_attempts_total", {"worker": "talker", "result": "answered"}),
            ("cortexd_time_per_output_token_seconds_count", {"worker": "talker"}),
        )
    }
    tokens = _growth(counted, "cortexd_output_tokens_total", worker="talker")
    for number in range(10):
        assert _ask(node, f"served {number}", model="talk").status_code == 200
    assert {name: growth() for name, growth in grown.items()} == dict.fromkeys(grown, 10)
    assert tokens() == 50


def test_from_the_cache(node: Daemon, counted: Counters) -> None:
    """Whoever has the answer from the cache was served, but no worker was asked for it."""
    served = _growth(counted, "cortexd_requests_total", outcome="served")
    attempts = _growth(counted, "cortexd_upstream_attempts_total")
    overhead = _growth(counted, "cortexd_gateway_overhead_seconds_count")
    hits = _growth(counted, "cortexd_cache_hits_total")
    for _ in range(4):
        assert _ask(node, "the same", model="talk", temperature=0).status_code == 200
    assert (served(), attempts(), overhead(), hits()) == (4, 1, 1, 3)


def test_failed(node: Daemon, counted: Counters) -> None:
    """A request that fails is one failed request, with an attempt of its kind."""
    failed = _growth(counted, "cortexd_requests_total", outcome="failed")
    served = _growth(counted, "cortexd_requests_total", outcome="served")
    attempts = _growth(counted, "cortexd_upstream_attempts_total", worker="broken")
    broken = {"worker": "broken", "result": "server_error"}
    of_its_kind = _growth(counted, "cortexd_upstream_attempts_total", **broken)
    first_tokens = _growth(counted, "cortexd_time_to_first_token_seconds_count")
    letters = _growth(counted, "cortexd_dead_letters_total", door="openai")
    assert _ask(node, "fail", model="none").status_code == 502
    assert (failed(), served(), first_tokens(), letters()) == (1, 0, 0, 1)
    assert attempts() == of_its_kind() > 0


def test_resumed(node: Daemon, counted: Counters) -> None:
    """An answer that two workers have given is one request, and one resumed stream."""
    served = _growth(counted, "cortexd_requests_total", outcome="served")
    resumed = _growth(counted, "cortexd_resumed_streams_total")
    attempts = _growth(counted, "cortexd_upstream_attempts_total")
    answer = _ask(node, "resume", model="long", stream=True)
    assert "seven" in answer.text
    assert (served(), resumed(), attempts()) == (1, 1, 2)
    assert counted("cortexd_resumed_streams_total", worker="resumer") == 1


@pytest.mark.parametrize(
    "model",
    ["no such", "no such/model", 'x"} 1\n# HELP y', "\u202e" * 50],
    ids=["name", "worker", "lines", "reversed"],
)
def test_refused(node: Daemon, counted: Counters, model: str) -> None:
    """Whatever a client calls the model, no metric has it."""
    refused = _growth(counted, "cortexd_requests_total", outcome="refused")
    assert _ask(node, "hello", model=model).status_code in {400, 404}
    assert refused() == 1
    assert model not in counted.text()


def test_shed(node: Daemon, counted: Counters) -> None:
    """A request that is turned away is one request shed, and nothing else moves."""
    shed = _growth(counted, "cortexd_requests_total", outcome="shed")
    requests = _growth(counted, "cortexd_requests_total")
    attempts = _growth(counted, "cortexd_upstream_attempts_total")
    _force(node, "emergency")
    try:
        assert _ask(node, "shed me", model="talk").status_code == 503
        assert (shed(), requests(), attempts()) == (1, 1, 0)
        assert counted("cortexd_degradation_level", level="emergency") == 1
        assert counted("cortexd_degradation_level") == 1
    finally:
        _force(node, "auto")


def _force(node: Daemon, level: str) -> None:
    url = f"{node.admin_url}/admin/degradation"
    answer = httpx.put(url, json={"level": level}, headers=_operator(node), timeout=20)
    assert answer.status_code == 200


def test_a_path_that_is_no_door(node: Daemon, counted: Counters) -> None:
    """Nothing counts it, so nobody can make series out of paths."""
    before = counted.text().count("\n")
    for number in range(20):
        assert httpx.post(f"{node.url}/v1/nothing{number}").status_code == 404
    assert counted.text().count("\n") == before


def test_nobody_reads_it_without_the_token(node: Daemon) -> None:
    """Not on the admin listener, and not at all on the other one."""
    assert httpx.get(f"{node.admin_url}/metrics").status_code == 401
    assert httpx.get(f"{node.url}/metrics").status_code == 404


def test_the_dashboard_and_the_charts(node: Daemon) -> None:
    """What the dashboard shows is all there, with a score for each worker."""
    assert _ask(node, "fail once more", model="none").status_code == 502
    document = node.admin("/admin/dashboard")
    assert document["performance"].keys() >= {
        *("uptime_seconds", "memory_usage", "process_count", "tasks", "requests_per_second"),
        *("tokens_per_second", "error_rate", "ttft_ms", "loop_lag_ms"),
    }
    assert document["performance"]["process_count"] == 1
    scores = {worker["name"]: worker["score"] for worker in document["workers"]}
    assert scores["talker"] == 100
    assert 0 <= scores["broken"] < 100
    charts = node.admin("/admin/metrics/history?since=0")
    assert tuple(charts["series"]) == SERIES


def test_a_node_without_metrics(start_daemon: StartDaemon) -> None:
    """Has no such page and no such file, and serves as well."""
    node = start_daemon(WORKERS + "[metrics]\nenabled = false\n")
    node.wait_available("talker")
    assert _ask(node, "hello", model="talk").status_code == 200
    assert httpx.get(f"{node.admin_url}/metrics", headers=_operator(node)).status_code == 404
    assert node.admin("/admin/metrics/history")["series"].keys() == set(SERIES)
    assert not (node.folder / "state" / "metrics.db").exists()
