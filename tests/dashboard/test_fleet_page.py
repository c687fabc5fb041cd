"""The page of the fleet: agents elsewhere, and the switches for them and their workers."""

from http import HTTPStatus
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, expect

from cortexd.domain.fleet import AgentReport, FleetWorker, Registration, WorkerReport
from cortexd.domain.worker import WorkerType
from cortexd.http.admin.fleet import agent_document as real_document
from cortexd.policy.fleet import enrol
from tests.dashboard.fleet_documents import (
    activity_document,
    agent_document,
    fleet_document,
    worker_document,
)
from tests.dashboard.stand_in import StandIn
from tests.dashboard.visitor import NARROW, Visit, Visitor, texts

pytestmark = pytest.mark.slow

PATH: Final = "/admin/fleet"
ACTIVITY: Final = "/admin/fleet/activity"

HOSTILE: Final = "<img src=x onerror=window.pwned=1>"

DONE: Final = (
    HTTPStatus.OK,
    {"command_id": "c-1", "command": "x", "agent": "attic", "answered": True, "response_ms": 12.4},
)
DOWN: Final = (
    HTTPStatus.SERVICE_UNAVAILABLE,
    {"error": {"message": "the broker is down: refused", "code": "broker_unavailable"}},
)


def attic(*, left: bool = True, right: bool = True) -> dict[str, Any]:
    """An agent with two workers, in rotation or not."""
    return agent_document(
        "attic", worker_document("left", active=left), worker_document("right", active=right)
    )


def order_path(verb: str, agent: str = "attic") -> str:
    """Where an agent is told something."""
    return f"{PATH}/agents/{agent}/{verb}"


def open_with(visit: Visit, document: dict[str, Any]) -> tuple[Visitor, StandIn]:
    """The page of a node that says this."""
    activity = activity_document(
        ("attic", "left", "activity", 7), ("cellar", None, "registered", 0)
    )
    answers = {order_path(verb): DONE for verb in ("activate", "deactivate", "drain", "ping")}
    stand_in = StandIn({PATH: document, ACTIVITY: activity}, answers)
    return stand_in.shown(visit, "fleet"), stand_in


def row_of(visitor: Visitor, name: str) -> Locator:
    """The line of an agent or worker."""
    named = visitor.page.locator('[data-field="name"]', has_text=name)
    return visitor.page.locator("#agents tbody tr", has=named)


def button_of(visitor: Visitor, name: str) -> Locator:
    """What can be pressed, by what is read out."""
    return visitor.page.get_by_role("button", name=name, exact=True)


def test_shows_each_agent_with_its_workers(visit: Visit) -> None:
    """How it is, when it last said so, and how fast it answers."""
    dry = worker_document("dry", active=False, drained=True)
    far = worker_document("far", reachable=False)
    odd = worker_document("odd", taken_on=False)
    cellar = agent_document("cellar", dry, far, odd)
    shed = agent_document("shed", worker_document("unheard"), state="unavailable")
    visitor, _ = open_with(visit, fleet_document(attic(right=False), cellar, shed))
    expect(visitor.page.locator("#fleet-sum")).to_have_text(
        "3 agents, 2 available, 6 workers, broker up"
    )
    fields = ["state", "switched", "period", "activity", "load", "response", "usual", "commands"]
    expected = ["available", "1 of 2 active", "every 5 s", "14", "42.5 %", "8 ms"]
    expected += ["p50 9 ms · p95 31 ms", "6 sent, 1 failed"]
    assert texts(row_of(visitor, "attic"), *fields) == expected
    assert texts(row_of(visitor, "shed"), "state") == ["unavailable"]
    fields = ["type", "state", "in_flight", "activity"]
    assert texts(row_of(visitor, "left"), *fields) == ["ollama", "active", "1 in flight", "7"]
    workers = ("right", "dry", "far", "odd", "unheard")
    states = [row_of(visitor, name).locator('[data-field="state"]') for name in workers]
    assert [state.inner_text() for state in states] == [
        *("deactivated", "drained", "unreachable", "refused by this node", "unavailable")
    ]
    expect(visitor.page.locator("#broker")).to_be_hidden()
    expect(visitor.page.locator("#demonstration")).to_be_hidden()
    groups = visitor.page.locator("#agents tbody")
    expect(groups.locator('tr:first-child [data-field="name"]')).to_have_text(
        ["attic", "cellar", "shed"]
    )


def test_switches_a_worker_off_and_on(visit: Visit) -> None:
    """While the agent has not answered, nothing else can be pressed there; then it is shown."""
    visitor, stand_in = open_with(visit, fleet_document(attic()))
    stand_in.holds = True
    button_of(visitor, "Deactivate attic.left").click()
    row = row_of(visitor, "left")
    expect(row).to_have_attribute("aria-busy", "true")
    expect(row.get_by_role("button")).to_be_disabled()
    stand_in.documents[PATH] = fleet_document(attic(left=False))
    stand_in.let_go()
    expect(row.locator('[data-field="state"]')).to_have_text("deactivated")
    expect(button_of(visitor, "Activate attic.left")).to_be_enabled()
    expect(button_of(visitor, "Activate attic.left")).to_be_focused()
    expect(visitor.page.locator("#notices")).to_contain_text(
        "attic.left gets no new requests. It answered in 12 ms."
    )
    button_of(visitor, "Activate attic.left").press("Enter")
    expect(visitor.page.locator("#notices")).to_contain_text("attic.left is back in rotation.")
    expected = [
        (order_path("deactivate"), {"worker": "left"}),
        (order_path("activate"), {"worker": "left"}),
    ]
    assert stand_in.orders == expected


def test_switches_drains_and_pings_an_agent(visit: Visit) -> None:
    """As a whole; where some of its workers are active only, the others can be made to be."""
    visitor, stand_in = open_with(visit, fleet_document(attic(left=False)))
    button_of(visitor, "Ping attic").click()
    expect(visitor.page.locator("#notices")).to_contain_text("attic is there.")
    button_of(visitor, "Activate all attic").click()
    expect(visitor.page.locator("#notices")).to_contain_text("attic is back in rotation.")
    stand_in.documents[PATH] = fleet_document(attic())
    expect(button_of(visitor, "Activate all attic")).to_be_hidden()
    button_of(visitor, "Deactivate attic").click()
    expect(visitor.page.locator("#notices")).to_contain_text("attic gets no new requests.")
    button_of(visitor, "Drain attic").click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    button_of(visitor, "Drain attic").click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    expect(visitor.page.locator("#notices")).to_contain_text("attic finishes what it is answering")
    verbs = ("ping", "activate", "deactivate", "drain")
    assert stand_in.orders == [(order_path(verb), {}) for verb in verbs]


def test_says_that_the_broker_is_down_and_what_came_of_a_command(visit: Visit) -> None:
    """In the node's own words, until it has been read; the switch can be pressed again."""
    visitor, stand_in = open_with(visit, fleet_document(attic()))
    banner = visitor.page.locator("#broker")
    broker = {"up": True, "blocked": True, "failure": "memory alarm"}
    stand_in.documents[PATH] = fleet_document(attic(), broker=broker)
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("The broker is blocked (memory alarm)")
    stand_in.documents[PATH] = fleet_document(attic(), broker={**broker, "up": False})
    expect(banner).to_contain_text("The broker is down (memory alarm)")
    stand_in.answers[order_path("ping")] = DOWN
    button_of(visitor, "Ping attic").click()
    expect(visitor.page.locator("#notices")).to_contain_text("the broker is down: refused")
    expect(button_of(visitor, "Ping attic")).to_be_enabled()
    # The browser itself reports an answer of 503 as an error of the page.
    assert all("503" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_shows_what_the_agents_have_been_doing(visit: Visit) -> None:
    """That of one agent, where one is chosen."""
    visitor, stand_in = open_with(visit, fleet_document(attic()))
    deeds = visitor.page.locator("#activity li")
    expect(deeds).to_have_count(2)
    expect(visitor.page.locator("#activity-sum")).to_have_text("the last 2 of 70")
    expect(deeds.first).to_contain_text("attic · left activity 7")
    expect(deeds.last).to_contain_text("cellar registered")
    stand_in.documents[ACTIVITY] = activity_document()
    visitor.page.get_by_label("Agent", exact=True).select_option("attic")
    expect(visitor.page.locator("#no-activity")).to_be_visible()
    assert stand_in.asked[-1].startswith(ACTIVITY)
    assert f"{ACTIVITY}?limit=50&agent=attic" in stand_in.asked


def test_shows_what_changes_within_two_seconds(visit: Visit) -> None:
    """Two seconds of the page's own time: an agent that has left, and demonstration mode."""
    stand_in = StandIn({PATH: fleet_document(attic()), ACTIVITY: activity_document()})
    visitor = stand_in.shown(visit, "fleet", clock=True)
    expect(row_of(visitor, "attic")).to_be_visible()
    visitor.page.clock.pause_at(visitor.page.evaluate("Date.now() + 100"))
    gone = attic() | {"state": "left", "workers": []}
    showing = {"enabled": True, "period_seconds": 30.0}
    stand_in.documents[PATH] = fleet_document(gone, demonstration=showing)
    visitor.page.clock.run_for(2000)
    expect(row_of(visitor, "attic").locator('[data-field="state"]')).to_have_text("left")
    expect(row_of(visitor, "left")).to_have_count(0)
    expect(visitor.page.locator("#agents button")).to_have_count(4)
    expect(visitor.page.locator("#agents .buttons")).to_be_hidden()
    shown = visitor.page.locator("#demonstration")
    expect(shown).to_be_visible()
    expect(shown).to_contain_text("by turns, every 30 s")
    stand_in.documents[PATH] = fleet_document()
    visitor.page.clock.run_for(2000)
    expect(visitor.page.locator("#no-agents")).to_be_visible()


def test_names_of_agents_are_only_ever_text(visit: Visit) -> None:
    """They come from other machines."""
    hostile = agent_document(HOSTILE, worker_document(HOSTILE, type=HOSTILE), version=HOSTILE)
    broker = {"up": False, "blocked": False, "failure": HOSTILE}
    visitor, stand_in = open_with(visit, fleet_document(hostile, broker=broker))
    stand_in.documents[ACTIVITY] = activity_document((HOSTILE, HOSTILE, HOSTILE, 1))
    for place in ("#agents", "#broker", "#activity", "#activity-of"):
        expect(visitor.page.locator(place)).to_contain_text(HOSTILE)
    assert visitor.page.locator("main img").count() == 0
    assert visitor.page.evaluate("window.pwned") is None


def test_fits(visit: Visit) -> None:
    """With long names, the status of another day, everything that can be pressed; on a phone."""
    worker = worker_document("worker-of-the-third-rack", type="anthropic", active=False)
    agent = agent_document("agent-of-the-third-rack-leftmost", worker, worker_document("other"))
    broker = {"up": False, "blocked": False, "failure": "refused by broker.example.internal:5671"}
    showing = {"enabled": True, "period_seconds": 30.0}
    document = fleet_document(agent, broker=broker, demonstration=showing)
    visitor, _ = open_with(visit, document)
    expect(visitor.page.locator("#agents tbody button:visible")).to_have_count(6)
    expect(row_of(visitor, agent["name"]).locator("time")).to_contain_text("2025-11-2")
    visitor.check_looks()
    visitor.resize(NARROW)
    visitor.check_looks()


def test_the_documents_here_are_those_of_a_node() -> None:
    """Or this page would be tested with what no node says."""
    worker = FleetWorker(name="left", type=WorkerType.OLLAMA, base_url="http://10.0.0.7:11434")
    report = AgentReport(
        incarnation=1,
        sequence=1,
        status_seconds=5.0,
        at=0.0,
        load=0.4,
        activity=7,
        workers=(WorkerReport(name="left", active=True),),
    )
    registration = Registration(agent="attic", version="1", workers=(worker,), report=report)
    record = enrol(None, registration, now=0.0, at=0.0)
    assert record is not None
    real = real_document(record, {})
    ours = agent_document("attic", worker_document("left"))
    for told, expected in (
        (ours, real),
        (ours["commands"], real["commands"]),
        (ours["commands"]["response_ms"], real["commands"]["response_ms"]),
        (ours["workers"][0], real["workers"][0]),
    ):
        assert told.keys() == expected.keys()


def test_says_how_to_switch_the_fleet_on(visit: Visit) -> None:
    """Instead of a table with nothing in it."""
    visitor = visit("fleet")
    guide = visitor.page.locator("#fleet-off")
    expect(guide).to_be_visible()
    expect(guide).to_contain_text("The fleet is off")
    expect(guide).to_contain_text("docs/how-to/run-a-remote-fleet.md")
    expect(visitor.page.locator("#fleet-on")).to_be_hidden()
