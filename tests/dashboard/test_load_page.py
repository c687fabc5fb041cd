"""The page of the load monitor: switched on, watched, switched off, and what it came to."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.daemon import Daemon
from tests.dashboard.stand_in import StandIn
from tests.dashboard.visitor import NARROW, Chat, Order, Visit, Visitor, token_of

pytestmark = pytest.mark.slow

PATH = "/admin/load-monitor"

CHARTS = (
    "requests",
    "latency",
    "errors",
    "in_flight",
    "memory",
    "loop_lag",
    "breakers",
    "workers",
    "cache",
    "tasks",
)


@pytest.fixture(autouse=True)
def _stopped(node: Daemon) -> Iterator[None]:
    """Let no test leave the monitor running for the next; to stop it twice does no harm."""
    yield
    headers = {"authorization": f"Bearer {token_of(node)}"}
    httpx.post(f"{node.admin_url}{PATH}/stop", headers=headers, timeout=20)


def now_of(visitor: Visitor, name: str) -> Locator:
    """The figures above a chart."""
    return visitor.page.locator(f'[data-chart="{name}"] [data-now]')


def start(visitor: Visitor, interval: str) -> None:
    """Fill in the interval and press the button."""
    visitor.page.get_by_label("A sample each").fill(interval)
    visitor.page.get_by_role("button", name="Start").click()


def test_is_explained_until_it_has_been_started(visit: Visit) -> None:
    """And then there are charts instead, also before the first sample."""
    never = {"running": False, "started_at": None, "stopped_at": None, "summary": None}
    stand_in = StandIn({PATH: {**never, "interval_seconds": 5.0, "samples": []}})
    visitor = stand_in.shown(visit, "load")
    guide = visitor.page.locator("#load-never")
    expect(guide).to_contain_text("docs/how-to/test-under-load.md")
    expect(visitor.page.locator("#load-charts")).to_be_hidden()
    stand_in.documents[PATH] |= {"running": True, "started_at": "2026-11-21T09:30:00.000+00:00"}
    expect(guide).to_be_hidden()
    expect(visitor.page.locator("#load-charts figure canvas")).to_have_count(len(CHARTS))


def test_samples_are_drawn_as_they_come(visit: Visit, chat: Chat, order: Order) -> None:
    """What the node has found is above each chart; in the end there is a sum of it all."""
    visitor = visit("load")
    start(visitor, "1")
    expect(visitor.page.locator("#load-sum")).to_contain_text("running since")
    interval = visitor.page.get_by_label("A sample each")
    expect(interval).to_be_disabled()
    for number in range(3):
        assert chat("small", f"question {number}").is_success
    expect(now_of(visitor, "memory")).to_contain_text(re.compile(r"^\d.* MiB$"))
    expect(now_of(visitor, "workers")).to_have_text("3 of 3")
    expect(now_of(visitor, "breakers")).to_have_text("0 open · 0 half open")
    expect(now_of(visitor, "in_flight")).to_have_text("0, 0 waiting")
    expect(now_of(visitor, "errors")).to_have_text("0 %")
    name = re.compile("^Latency, now p50 .* · p95 .* · p99 ")
    expect(visitor.page.get_by_role("img", name=name)).to_be_visible()
    visitor.page.get_by_role("button", name="Stop").click()
    expect(visitor.page.locator("#load-sum")).to_contain_text("stopped at")
    summary = visitor.page.locator("#load-summary")
    expect(summary.locator('[data-field="requests"]')).to_have_text("3")
    expect(summary.locator('[data-field="failed"]')).to_have_text("0 failed, 0 % turned away")
    expect(summary.locator('[data-field="p95"]')).to_contain_text("ms")
    memory = visitor.page.locator("#spreads tr", has_text="memory")
    expect(memory.locator('[data-field="max"]')).to_contain_text("MiB")
    expect(interval).to_be_enabled()
    assert order("GET", PATH)["running"] is False
    # It is the node that remembers, and not the page.
    visitor.open("load")
    expect(summary.locator('[data-field="requests"]')).to_have_text("3")
    expect(visitor.page.locator("#load-charts figure canvas")).to_have_count(len(CHARTS))
    visitor.check_looks()
    visitor.resize(NARROW)
    visitor.check_looks()


def _run(hour: int, *seconds: int) -> dict[str, object]:
    """A run that began at that hour, with samples at these seconds after it."""
    return {
        "running": True,
        "started_at": f"2026-11-21T{hour:02}:00:00.000+00:00",
        "stopped_at": None,
        "interval_seconds": 5.0,
        "summary": None,
        "samples": [
            {
                "at": f"2026-11-21T{hour:02}:00:{second:02}.250+00:00",
                "requests_per_second": 1.0,
                "latency_ms": {"p50": None, "p95": None, "p99": None},
                "error_rate": 0.0,
                "pool": {"in_flight": 0, "queued": 0},
                "memory_mib": 50.0,
                "loop_lag_ms": 0.1,
                "breakers": {"closed": 1, "open": 0, "half_open": 0},
                "workers": 1,
                "workers_available": 1,
                "cache": {"hit_rate": None},
                "tasks": 20,
            }
            for second in seconds
        ],
    }


def test_only_what_is_new_is_asked_for(visit: Visit) -> None:
    """From the latest sample on, which is not drawn twice; of another run, all of them."""
    stand_in = StandIn({PATH: _run(9, 5, 10)})
    visitor = stand_in.shown(visit, "load")
    how_many = visitor.page.locator("#load-sum")
    expect(how_many).to_contain_text("2 samples")
    assert stand_in.asked[0] == PATH
    stand_in.documents[PATH] = _run(9, 10, 15, 20)
    expect(how_many).to_contain_text("4 samples")
    assert f"{PATH}?since=1795251610.25" in stand_in.asked
    stand_in.documents[PATH] = _run(10, 5)
    expect(how_many).to_contain_text("1 sample")
    assert stand_in.asked.count(PATH) == 2
    expect(now_of(visitor, "tasks")).to_have_text("20")


def test_the_node_says_what_is_wrong_with_a_wish(visit: Visit, order: Order) -> None:
    """What another operator has started is shown; what cannot be is told in the node's words."""
    visitor = visit("load")
    expect(visitor.page.get_by_role("button", name="Start")).to_be_visible()
    visitor.page.get_by_label("s, for at most").fill("100000")
    start(visitor, "2")
    expect(visitor.page.locator("#notices")).to_contain_text("duration_seconds")
    expect(visitor.page.get_by_role("button", name="Start")).to_be_enabled()
    assert all("400" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()
    order("POST", f"{PATH}/start", {"interval_seconds": 3})
    expect(visitor.page.get_by_role("button", name="Stop")).to_be_visible()
    expect(visitor.page.get_by_label("A sample each")).to_have_value("3")


def test_works_by_keyboard_alone(visit: Visit) -> None:
    """Enter in a field starts it; the button that has become the other one stops it."""
    visitor = visit("load")
    visitor.page.get_by_label("A sample each").fill("1")
    visitor.page.keyboard.press("Enter")
    stop = visitor.page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    stop.focus()
    visitor.page.keyboard.press("Enter")
    button = visitor.page.get_by_role("button", name="Start")
    expect(button).to_be_focused()
