"""How the pages look: on a wide screen and on a phone, by day and by night; and hostile names."""

from typing import Any

import pytest
from playwright.sync_api import expect

from cortexd.http.admin.dashboard.pages import PAGES
from tests.daemon import running_daemon
from tests.dashboard.visitor import NARROW, WIDE, Visit

pytestmark = pytest.mark.slow

SHIFT_MAX = 0.1
"""What web.dev ("Cumulative Layout Shift") calls good."""

COUNT_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

HOSTILE = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>"

HOSTILE_NODE = f"""
[[workers]]
name = "hostile"
type = "scripted"
models = ["{HOSTILE}"]
script = [{{fail = "server_error", detail = "{HOSTILE}", times = 1}}, {{say = "{HOSTILE}"}}]
"""


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")],
    ids=["wide-light", "wide-dark", "narrow-light", "narrow-dark"],
)
def test_every_page_fits(visit: Visit, size: tuple[int, int], scheme: Any) -> None:
    """Nothing sticks out, nothing jumps, and everything that can be used has a name."""
    visitor = visit("overview", size=size, scheme=scheme)
    visitor.page.add_init_script(COUNT_SHIFTS)
    for page in PAGES:
        visitor.open(page)
        visitor.check_looks()
        assert (page, visitor.page.evaluate("window.shift") < SHIFT_MAX) == (page, True)


def test_goes_from_page_to_page_on_a_phone(visit: Visit) -> None:
    """The navigation is behind a button there, and out of the way again on the next page."""
    visitor = visit("overview", size=NARROW)
    navigation = visitor.page.get_by_role("navigation", name="Pages")
    expect(navigation).to_be_hidden()
    visitor.go("alerts")
    expect(navigation).to_be_hidden()
    menu = visitor.page.get_by_role("button", name="Menu")
    expect(menu).to_have_attribute("aria-expanded", "false")


def test_names_and_answers_are_only_ever_text(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever they appear, and whatever they say."""
    with running_daemon(tmp_path_factory.mktemp("hostile"), HOSTILE_NODE) as daemon:
        daemon.wait_available("hostile")
        visitor = visit("chat", daemon=daemon)
        page = visitor.page
        for expected in ("No answer.", HOSTILE):
            page.get_by_label("Answered by").select_option(f"hostile/{HOSTILE}")
            page.get_by_label("Message").fill(HOSTILE)
            page.get_by_role("button", name="Send").click()
            answer = page.locator('#messages [data-who="worker"]').last
            expect(answer.locator('[data-field="text"]')).to_have_text(expected)
        assert all("502" in complaint for complaint in visitor.complaints)
        visitor.complaints.clear()
        seen = {"workers": "#workers", "requests": "#request-list", "configuration": "#sections"}
        for name, place in seen.items():
            visitor.go(name)
            expect(page.locator(place)).to_contain_text(HOSTILE)
        assert page.locator("main img").count() == 0
        assert page.evaluate("window.pwned") is None


def test_no_string_becomes_html(visit: Visit) -> None:
    """Not even that of a script of ours that forgets itself."""
    visitor = visit("overview")
    refused = visitor.page.evaluate(
        "(html) => { try { document.body.innerHTML = html } catch (error) { return error.name } }",
        HOSTILE,
    )
    assert refused == "TypeError"
    assert visitor.page.evaluate("window.pwned") is None
    assert any("TrustedHTML" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()
