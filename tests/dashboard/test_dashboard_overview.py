"""Getting in and out, from page to page, and what the overview shows while things happen."""

import json
import os
import re
import signal
from typing import Any

import pytest
from playwright.sync_api import expect

from cortexd.http.admin.dashboard.pages import PAGES
from tests.daemon import Daemon, running_daemon
from tests.dashboard.visitor import Chat, Order, Visit, path_of
from tests.operator import wait_until

pytestmark = pytest.mark.slow


def test_nobody_sees_a_page_without_the_token(visit: Visit) -> None:
    """The login page says what is wrong, and leads to the page that was wanted."""
    visitor = visit()
    page = visitor.page
    page.goto(visitor.daemon.admin_url + path_of("workers"))
    page.get_by_label("Admin token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#problem")).to_contain_text("admin token")
    assert all("401" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()
    visitor.log_in("workers")
    assert page.url == visitor.daemon.admin_url + path_of("workers")


def test_logging_out_ends_the_session(visit: Visit) -> None:
    """Whoever comes after has to log in."""
    visitor = visit("overview")
    visitor.page.get_by_role("button", name="Log out").click()
    expect(visitor.page.get_by_label("Admin token")).to_be_visible()
    visitor.page.goto(visitor.daemon.admin_url + path_of("overview"))
    expect(visitor.page.get_by_label("Admin token")).to_be_visible()
    # Whatever was still being asked for when the session ended.
    assert all("401" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_a_session_that_is_over_leads_back_to_the_login(visit: Visit) -> None:
    """And from there to the same page."""
    visitor = visit("requests")
    visitor.page.context.clear_cookies()
    expect(visitor.page.get_by_label("Admin token")).to_be_visible()
    assert visitor.page.url.endswith("/admin/login#requests")
    assert all("401" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_goes_from_page_to_page_without_loading_anew(visit: Visit) -> None:
    """Each has its own address and title, and the browser's way back leads back."""
    visitor = visit("overview")
    visitor.page.evaluate("window.isTheSame = true")
    for page in PAGES:
        visitor.go(page)
        assert visitor.page.url == visitor.daemon.admin_url + path_of(page)
        current = visitor.page.locator('nav a[aria-current="page"]')
        expect(current).to_have_attribute("data-page", page)
    visitor.page.go_back()
    visitor.at("configuration")
    expect(visitor.page.locator("#sections")).to_contain_text("[node]")
    expect(visitor.page).to_have_title("Configuration · cortexd")
    assert visitor.page.evaluate("window.isTheSame") is True


def test_is_worked_by_keyboard_alone(visit: Visit) -> None:
    """Skip link, navigation, page."""
    visitor = visit("overview")
    page = visitor.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Workers")).to_be_focused()
    page.keyboard.press("Enter")
    visitor.at("workers")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Add a worker")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_shows_what_changes_within_two_seconds(visit: Visit, order: Order) -> None:
    """Two seconds of the page's own time, in which it must have asked."""
    visitor = visit()
    visitor.page.clock.install()
    visitor.have_session()
    visitor.open("overview")
    available = visitor.page.locator("#available")
    expect(available).to_have_text("3 of 3")
    visitor.page.clock.pause_at(visitor.page.evaluate("Date.now() + 100"))
    order("POST", "/admin/workers/steady/deactivate")
    visitor.page.clock.run_for(2000)
    row = visitor.page.locator("#overview-workers tr", has_text="steady")
    expect(row.locator('[data-field="state"]')).to_have_text("deactivated")
    order("POST", "/admin/workers/steady/activate")
    visitor.page.clock.run_for(2000)
    expect(row.locator('[data-field="state"]')).to_have_text("available")


def test_charts_have_the_past_and_go_on(visit: Visit, chat: Chat) -> None:
    """A request shows in the figures beside the charts."""
    visitor = visit()
    chat("small", "for the charts")
    visitor.log_in()
    figure = visitor.page.locator('[data-chart="requests"]')
    expect(figure.locator("canvas")).to_be_visible()
    expect(figure.locator("[data-now]")).to_contain_text(re.compile("[0-9]"))
    expect(visitor.page.get_by_role("img", name="Requests per second, now")).to_be_visible()
    ttft = visitor.page.locator('[data-chart="ttft"] [data-now]')
    expect(ttft).to_contain_text("ms")


def test_forces_a_level_and_lets_it_follow_again(visit: Visit, order: Order) -> None:
    """What is forced is said to be."""
    visitor = visit("overview")
    page = visitor.page
    page.get_by_label("Level", exact=True).select_option("minor_issues")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#level")).to_have_text("minor issues")
    expect(page.locator("#level-why")).to_contain_text("forced")
    assert order("GET", "/admin/degradation")["forced"] is True
    page.get_by_label("Level", exact=True).select_option("auto")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#level")).to_have_text("healthy")
    assert order("GET", "/admin/degradation")["forced"] is False


def test_tells_what_happens(visit: Visit, order: Order) -> None:
    """The events of the node, as they come."""
    # An alert of the test before would be an event as well when it is over.
    wait_until(lambda: all(each["state"] == "resolved" for each in _alerts(order)))
    visitor = visit("overview")
    happenings = visitor.page.locator("#happenings")
    expect(happenings).to_contain_text("Nothing yet.")
    order("POST", "/admin/workers/late/deactivate")
    expect(happenings).to_contain_text("worker deactivated late")
    order("POST", "/admin/workers/late/activate")
    expect(happenings.locator("li").first).to_contain_text("worker activated late")


def test_tells_what_is_wrong_with_a_fleet(visit: Visit) -> None:
    """Why a worker was refused, and that an agent has not answered, or could not."""
    unanswered = {"agent": "attic", "worker": None, "response_s": None, "problem": None}
    failed = {"agent": "attic", "worker": "left", "response_s": 0.1, "problem": "no such worker"}
    happened: list[tuple[str, dict[str, Any]]] = [
        ("fleet_worker_refused", {"worker": "attic.left", "problems": ["name: is taken", "url"]}),
        ("fleet_command_done", unanswered),
        ("fleet_command_done", failed),
    ]
    # The browser comes back for more only when the test is long over.
    stream = "retry: 1000000\n\n" + "".join(
        f"event: {kind}\ndata: {json.dumps({'at': '2025-11-21T09:30:00+00:00', **told})}\n\n"
        for kind, told in happened
    )
    visitor = visit()
    visitor.page.route(
        "**/admin/events",
        lambda route: route.fulfill(content_type="text/event-stream", body=stream),
    )
    visitor.have_session()
    visitor.open("overview")
    about = visitor.page.locator('#happenings [data-field="about"]')
    expect(about).to_have_text(
        ["attic · left: no such worker", "attic: no answer", "attic.left: name: is taken, url"]
    )


def _alerts(order: Order) -> Any:
    return order("GET", "/admin/alerts")["items"]


def test_says_that_the_node_is_gone(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is on the page is old then, and nobody should take it for new."""
    workers = '[[workers]]\nname = "one"\ntype = "scripted"\n'
    with running_daemon(tmp_path_factory.mktemp("gone"), workers) as daemon:
        visitor = visit("overview", daemon=daemon)
        daemon.stop()
        expect(visitor.page.locator("#connection")).to_have_text("no connection")
    visitor.complaints.clear()


def test_the_tree_shows_who_was_restarted_and_why(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With every child, its state, its mailbox; what has been restarted can be shown alone."""
    workers = '[[workers]]\nname = "embedded"\ntype = "embedded"\n'
    with running_daemon(tmp_path_factory.mktemp("tree"), workers) as daemon:
        visitor = visit("tree", daemon=daemon)
        page = visitor.page
        lines = page.locator("#tree .node")
        registry = lines.filter(has_text="worker-registry")
        expect(registry.locator('[data-field="state"]')).to_have_text("running")
        expect(registry.locator('[data-field="mailbox"]')).to_contain_text("max")
        expect(page.locator("#no-restarts")).to_be_visible()
        daemon.wait_available("embedded")
        kill_engine(daemon)
        engine = page.locator("#tree .node.troubled")
        expect(engine.locator('[data-field="restarts"]')).to_have_text("1")
        expect(page.locator("#restarts li")).to_have_count(1)
        count = lines.count()
        page.get_by_label("only what has restarted").check()
        expect(engine).to_be_visible()
        assert lines.count() < count
        page.get_by_role("button", name="Show what is below root").click()
        expect(engine).to_be_hidden()


def kill_engine(daemon: Daemon) -> None:
    """End the engine's process, as the kernel does when memory is short."""
    os.kill(daemon.descendants()[0], signal.SIGKILL)
