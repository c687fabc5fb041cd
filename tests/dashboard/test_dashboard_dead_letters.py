"""The pages of what went wrong: dead letters, requests, alerts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.daemon import Daemon
from tests.dashboard.visitor import Chat, Order, Visit, Visitor
from tests.operator import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _clean(order: Order) -> Iterator[None]:
    """Let each test begin with an empty queue, a worker that is well, and no alert about it."""
    order("POST", "/admin/dlq/purge", {})
    order("POST", "/admin/breakers/broken/reset")
    wait_until(lambda: not _fires(order, "breaker_open"))
    # The figures follow a moment later, and the page's choice of errors is made of them.
    wait_until(lambda: not _figures(order)["total"])
    yield
    order("POST", "/admin/breakers/broken/reset")


def _fires(order: Order, rule: str) -> bool:
    alerts = order("GET", "/admin/alerts")["items"]
    return any(alert["rule"] == rule and alert["state"] != "resolved" for alert in alerts)


def _figures(order: Order) -> Any:
    return order("GET", "/admin/dashboard")["dead_letter_queue"]["stats"]


def letter_of(visitor: Visitor, model: str) -> Locator:
    """The line of the letter that asked for this model."""
    name = visitor.page.locator('[data-field="model"]', has_text=model)
    return visitor.page.locator("#letters tr", has=name)


def test_a_failed_request_is_inspected_and_run_again(visit: Visit, chat: Chat) -> None:
    """It comes by itself; the request and the answer of the retry are to be seen."""
    visitor = visit("dead-letters")
    page = visitor.page
    expect(page.locator("#no-letters")).to_be_visible()
    assert chat("large", "what <b>now</b>?").status_code == 502
    row = letter_of(visitor, "large")
    expect(row.locator('[data-field="kind"]')).to_have_text("server error")
    expect(row.locator('[data-field="retried"]')).to_have_text("no")
    row.get_by_role("button", name="Inspect").click()
    dialog = page.get_by_role("dialog", name="Dead letter")
    expect(dialog.locator("#details-request")).to_contain_text("what <b>now</b>?")
    expect(dialog.locator("#details-attempts")).to_contain_text("late: no room")
    expect(dialog.locator("#details-answer")).to_have_text("not retried yet")
    dialog.get_by_role("button", name="Retry").click()
    expect(dialog.locator("#details-answer")).to_contain_text("Better late than never.")
    dialog.get_by_role("button", name="Close").click()
    expect(row.locator('[data-field="retried"]')).to_have_text("answered")


def test_a_retry_that_fails_says_so(visit: Visit, chat: Chat) -> None:
    """The letter stays, with the status of its last retry."""
    assert chat("huge").status_code == 502
    visitor = visit("dead-letters")
    row = letter_of(visitor, "huge")
    row.get_by_role("button", name="Retry").click()
    expect(row.locator('[data-field="retried"]')).to_contain_text("failed, 50")


def test_deletes_one_and_purges_all(visit: Visit, chat: Chat, order: Order) -> None:
    """Both ask before."""
    for _ in range(3):
        chat("huge")
    visitor = visit("dead-letters")
    page = visitor.page
    rows = page.locator("#letters tr")
    expect(rows).to_have_count(3)
    rows.first.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Purge…").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge").click()
    expect(rows).to_have_count(0)
    expect(page.locator("#no-letters")).to_be_visible()
    assert order("GET", "/admin/dlq")["total"] == 0


def test_shows_letters_of_one_error_only(visit: Visit, chat: Chat) -> None:
    """The choice offers the errors that there are."""
    chat("huge")
    visitor = visit("dead-letters")
    choice = visitor.page.get_by_label("Error")
    expect(choice.locator("option")).to_have_count(2)
    choice.select_option("server_error")
    expect(visitor.page.locator("#letters tr")).to_have_count(1)


def test_a_letter_that_cannot_be_read_is_told_of(
    visit: Visit, chat: Chat, order: Order, node: Daemon
) -> None:
    """The page does not say that there is none."""
    assert chat("huge").status_code == 502
    with closing(sqlite3.connect(node.folder / "state" / "dead_letters.db")) as disk, disk:
        disk.execute("UPDATE letters SET outcome = 'postponed'")
    order("POST", "/admin/dlq/purge", {"older_than_seconds": 3600})  # they are counted after it
    wait_until(lambda: _figures(order)["unreadable"])
    page = visit("dead-letters").page
    expect(page.locator("#dlq-sum")).to_contain_text("1 letter in it cannot be read")
    with page.expect_response("**/admin/dlq?*error=*"):  # the list has been shown by then
        page.get_by_label("Error").select_option("server_error")
    expect(page.locator("#letters tr")).to_have_count(0)
    expect(page.locator("#no-letters")).to_be_hidden()


def test_requests_are_shown_with_their_path(visit: Visit, chat: Chat) -> None:
    """Newest first, as they end; those without trouble can be left out."""
    visitor = visit("requests")
    chat("small", "a word for the path")
    rows = visitor.page.locator("#request-list tr")
    expect(rows.first.locator('[data-field="outcome"]')).to_have_text("served")
    expect(rows.first.locator(".path")).to_have_text("steady ✓")
    expect(rows.first.locator('[data-field="model"]')).to_have_text("small")
    chat("huge")
    expect(rows.first.locator('[data-field="outcome"]')).to_have_text("failed")
    expect(rows.first.locator(".path")).to_have_text("broken server error")
    visitor.page.get_by_label("Show").select_option("troubled")
    expect(rows.locator('[data-field="outcome"]', has_text="served")).to_have_count(0)
    expect(rows.first.locator('[data-field="outcome"]')).to_have_text("failed")


def test_an_alert_is_acknowledged(visit: Visit, chat: Chat, order: Order) -> None:
    """It comes by itself, and can be acknowledged while it fires."""
    visitor = visit("alerts")
    for _ in range(2):
        chat("huge")
    alert = visitor.page.locator("#alert-list tr", has_text="breaker open")
    expect(alert.locator('[data-field="state"]')).to_have_text("firing")
    expect(visitor.page.locator("#nav-alerts")).to_be_visible()
    alert.get_by_role("button", name="Acknowledge").click()
    expect(alert.locator('[data-field="state"]')).to_have_text("acknowledged")
    expect(alert.get_by_role("button")).to_be_hidden()
    states = {alert["state"] for alert in order("GET", "/admin/alerts")["items"]}
    assert "acknowledged" in states
