"""The page of the workers: what it shows, and each thing that it does."""

import pytest
from playwright.sync_api import Locator, expect

from tests.dashboard.visitor import Chat, Order, Visit, Visitor

pytestmark = pytest.mark.slow


def row_of(visitor: Visitor, worker: str) -> Locator:
    """The worker's line."""
    name = visitor.page.locator('[data-field="name"]', has_text=worker)
    return visitor.page.locator("#workers tr", has=name)


def test_shows_each_worker_with_its_state(visit: Visit) -> None:
    """State and breaker are told in words, not by colour alone."""
    visitor = visit("workers")
    expect(visitor.page.locator("#workers tr")).to_have_count(3)
    row = row_of(visitor, "steady")
    expect(row.locator('[data-field="state"]')).to_have_text("available")
    expect(row.locator('[data-field="breaker"]')).to_have_text("closed")
    expect(row.locator('[data-field="kind"]')).to_have_text("scripted · small")
    expect(row.locator('[data-field="keys"]')).to_have_text("none needed")


def test_takes_a_worker_out_of_rotation_and_puts_it_back(visit: Visit, order: Order) -> None:
    """The button is the other one afterwards."""
    visitor = visit("workers")
    row = row_of(visitor, "steady")
    row.get_by_role("button", name="Deactivate steady").click()
    expect(row.locator('[data-field="state"]')).to_have_text("deactivated")
    assert order("GET", "/admin/workers/steady")["active"] is False
    row.get_by_role("button", name="Activate steady", exact=True).click()
    expect(row.locator('[data-field="state"]')).to_have_text("available")
    assert order("GET", "/admin/workers/steady")["active"] is True


def test_checks_a_worker_now(visit: Visit) -> None:
    """The verdict is told."""
    visitor = visit("workers")
    row_of(visitor, "steady").get_by_role("button", name="Check steady").click()
    expect(visitor.page.locator("#notices")).to_contain_text("steady is available")


def test_adds_a_worker_and_removes_it(visit: Visit, order: Order) -> None:
    """What is filled in is one `[[workers]]` table; removing asks first."""
    visitor = visit("workers")
    page = visitor.page
    page.get_by_role("button", name="Add a worker").click()
    dialog = page.get_by_role("dialog", name="Add a worker")
    dialog.get_by_label("Name").fill("extra")
    dialog.get_by_label("Type").select_option("scripted")
    dialog.get_by_label("Models").fill("one, two")
    dialog.get_by_label("Requests at once").fill("3")
    dialog.get_by_role("button", name="Add").click()
    row = row_of(visitor, "extra")
    expect(row.locator('[data-field="load"]')).to_have_text("0 of 3")
    expect(row.locator('[data-field="kind"]')).to_have_text(
        "scripted · one · two · until the next start"
    )
    row.get_by_role("button", name="Remove extra").click()
    page.get_by_role("button", name="Cancel").click()
    expect(row).to_be_visible()
    row.get_by_role("button", name="Remove extra").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)
    names = [worker["name"] for worker in order("GET", "/admin/workers")["items"]]
    assert "extra" not in names


def test_lists_what_is_wrong_with_a_worker(visit: Visit) -> None:
    """All problems at once, and the form stays as it was filled in."""
    visitor = visit("workers")
    visitor.page.get_by_role("button", name="Add a worker").click()
    dialog = visitor.page.get_by_role("dialog", name="Add a worker")
    dialog.get_by_label("Name").fill("no/name")
    dialog.get_by_label("Address").fill("ftp://example")
    dialog.get_by_role("button", name="Add").click()
    expect(visitor.page.locator("#add-problems li")).to_have_count(2)
    expect(visitor.page.locator("#add-problems")).to_contain_text("base_url")
    expect(dialog.get_by_label("Address")).to_have_value("ftp://example")
    # The browser itself reports an answer of 422 as an error of the page.
    assert all("422" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_closes_an_open_breaker(visit: Visit, chat: Chat) -> None:
    """The button is there only while the breaker is not closed."""
    visitor = visit("workers")
    row = row_of(visitor, "broken")
    reset = row.get_by_role("button", name="Reset breaker broken")
    expect(reset).to_be_hidden()
    assert [chat("huge").is_success for _ in range(2)] == [False, False]
    expect(row.locator('[data-field="breaker"]')).to_have_text("open")
    expect(row.locator('[data-field="rest"]')).to_contain_text("tries again in")
    reset.click()
    expect(row.locator('[data-field="breaker"]')).to_have_text("closed")
    expect(reset).to_be_hidden()
