"""The pages of what can be set: cache, client keys, configuration; and the chat."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.daemon import Daemon, running_daemon
from tests.dashboard.visitor import Chat, Order, Visit

pytestmark = pytest.mark.slow


def test_the_cache_is_shown_and_emptied(visit: Visit, chat: Chat, order: Order) -> None:
    """A repeated request is a hit; purging asks first."""
    for _ in range(2):
        chat("small", "the same again")
    visitor = visit("cache")
    page = visitor.page
    hits = order("GET", "/admin/cache")["hits"]
    expect(page.locator('[data-field="hits"]')).to_have_text(str(hits))
    expect(page.locator('[data-field="entries"]')).to_have_text(re.compile("^[1-9]"))
    page.get_by_role("button", name="Purge the cache").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge").click()
    expect(page.locator('[data-field="entries"]')).to_have_text("0")
    assert order("GET", "/admin/cache")["entries"] == 0


@pytest.fixture
def keyless(tmp_path: Path) -> Iterator[Daemon]:
    """A node of its own: with the first key, whoever chats needs one."""
    with running_daemon(tmp_path, '[[workers]]\nname = "one"\ntype = "scripted"\n') as daemon:
        yield daemon


def test_a_key_is_shown_once_and_revoked(visit: Visit, keyless: Daemon) -> None:
    """The key that is shown opens the data listener until it is revoked."""
    visitor = visit("keys", daemon=keyless)
    page = visitor.page
    page.get_by_role("button", name="Create a key").click()
    dialog = page.get_by_role("dialog", name="Create a key")
    dialog.get_by_label("Name").fill("team <b>blue</b>")
    dialog.get_by_label("Class").select_option("premium")
    dialog.get_by_label("Requests a minute").fill("60")
    dialog.get_by_role("button", name="Create").click()
    expect(page.locator("#fresh-key")).to_contain_text("cx_live_")
    key = visitor.text("#fresh-key")
    models = httpx.get(f"{keyless.url}/v1/models", headers={"authorization": f"Bearer {key}"})
    assert models.status_code == 200
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("#fresh")).to_be_hidden()
    assert key not in page.content()
    row = page.locator("#keys tr", has_text="team <b>blue</b>")
    expect(row.locator('[data-field="class"]')).to_have_text("premium")
    expect(row.locator('[data-field="state"]')).to_have_text("active")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row.locator('[data-field="state"]')).to_have_text("revoked")
    [listed] = keyless.admin("/admin/keys")["items"]
    assert listed["state"] == "revoked"


def test_the_configuration_is_read_again(visit: Visit, node: Daemon) -> None:
    """What has changed is told, or all that is wrong with the file."""
    visitor = visit("configuration")
    page = visitor.page
    expect(page.locator("#sections")).to_contain_text("failures_in_a_row")
    file = node.folder / "cortexd.toml"
    before = file.read_text(encoding="utf-8")
    reload = page.get_by_role("button", name="Reload the file")
    reload.click()
    expect(page.locator("#reload-title")).to_have_text("Reloaded: nothing has changed")
    file.write_text(before + '[[workers]]\nname = "new"\ntype = "scripted"\n', encoding="utf-8")
    reload.click()
    expect(page.locator("#reload-lines")).to_contain_text("new")
    expect(page.locator("#sections")).to_contain_text("[[workers]] new")
    file.write_text(before + "[nonsense]\n", encoding="utf-8")
    reload.click()
    expect(page.locator("#reload-title")).to_have_text("Nothing was changed: 1 problem")
    expect(page.locator("#reload-lines")).to_contain_text("nonsense")
    file.write_text(before, encoding="utf-8")
    reload.click()
    expect(page.locator("#sections")).not_to_contain_text("[[workers]] new")
    # The browser itself reports an answer of 422 as an error of the page.
    assert all("422" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_chats_with_a_worker_of_choice(visit: Visit) -> None:
    """The answer comes as text, from the worker that was chosen, and the conversation goes on."""
    visitor = visit("chat")
    page = visitor.page
    page.get_by_label("Answered by").select_option("steady/small")
    question = page.get_by_label("Message")
    question.fill("an <img src=x onerror=alert(1)> of you")
    question.press("Enter")
    answer = page.locator('#messages [data-who="worker"]').first
    expected = "You said: an <img src=x onerror=alert(1)> of you"
    expect(answer.locator('[data-field="text"]')).to_have_text(expected)
    expect(answer.locator('[data-field="about"]')).to_contain_text("by steady")
    expect(answer.locator('[data-field="about"]')).to_contain_text("done after")
    question.fill("and more")
    page.get_by_role("button", name="Send").click()
    last = page.locator('#messages [data-who="worker"]').last
    expect(last.locator('[data-field="text"]')).to_have_text("You said: and more")
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#messages li")).to_have_count(1)


def test_an_answer_that_fails_is_an_error_in_words(visit: Visit, order: Order) -> None:
    """What the node says of it is shown in the conversation."""
    order("POST", "/admin/breakers/broken/reset")
    visitor = visit("chat")
    page = visitor.page
    page.get_by_label("Answered by").select_option("broken/huge")
    page.get_by_label("Message").fill("hello")
    page.get_by_role("button", name="Send").click()
    answer = page.locator('#messages [data-who="worker"]')
    expect(answer.locator('[data-field="text"]')).to_have_text("No answer.")
    expect(answer.locator('[data-field="about"]')).to_contain_text("broken")
    # The browser itself reports an answer of 502 as an error of the page.
    assert all("502" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()
