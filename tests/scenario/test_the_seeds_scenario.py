"""The night that nobody wakes up: all providers fail, one by one and then together."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from playwright.sync_api import Browser, expect

from cortexd.policy.degradation import LEVELS, DegradationLevel
from tests.daemon import Daemon, running_daemon
from tests.dashboard.visitor import WIDE, Visitor
from tests.fakes.webhook import running_webhook
from tests.faults.upstream import ServerLoop
from tests.matrix.doors import DOORS
from tests.scenario.alert_inbox import FIRED, RESOLVED, AlertInbox
from tests.scenario.audience import PAUSE_S, Audience, Chat, answered_by, chatting
from tests.scenario.providers import TROUBLES, Provider, all_down, hire_all, keys_of

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S: Final = 180.0
"""A limit for what hangs: how long things really take depends on the machine."""

INSISTENCE_MAX: Final = 300

HOOK: Final = "ALERT_WEBHOOK"

NODE: Final = """
[[workers]]
name = "embedded"
type = "embedded"

[cache]
[retry]
[degradation]
[health]
interval_seconds = 1
timeout_seconds = 1

[breaker]
failures_in_a_row = 3
open_seconds = 1
open_seconds_max = 2

[alerts]
pending_seconds = 0.5
resolve_seconds = 1
cooldown_seconds = 3600
dead_letters_cooldown_seconds = 3600
breaker_cooldown_seconds = 3600
dead_letters_max = 0
error_rate_max = 1  # it looks back for a minute, and so would not be over in time
[[alerts.channels]]
type = "webhook"
url = "env:ALERT_WEBHOOK"
"""

NODE_ALERTS: Final = ("few_available_workers", "degraded")
LETTERS: Final = "dead_letters"


@attrs.frozen(eq=False)
class Scene:
    """All who take part, while clients chat."""

    node: Daemon
    providers: tuple[Provider, ...]
    audience: Audience
    inbox: AlertInbox

    @property
    def level(self) -> str:
        """How far the node has fallen."""
        return str(self.node.admin("/admin/degradation")["level"])

    def was_told(self, *keys: str, is_over: bool = False) -> bool:
        """Whether people were told of each of these alerts, or of its end."""
        wanted = RESOLVED if is_over else FIRED
        return all(wanted in self.inbox.told.get(key, ()) for key in keys)

    def insist(self, provider: Provider) -> str:
        """Ask this provider and no other until it has shown all its troubles; a letter of it."""
        asked, letter = len(provider.upstream.asked), None
        for door in islice(cycle(DOORS), INSISTENCE_MAX):
            chat = self.audience.ask(door, model=provider.model)
            if chat.worker == provider.name:
                letter = chat.letter or letter
            if letter is not None and len(provider.upstream.asked) >= asked + TROUBLES:
                return letter
            time.sleep(PAUSE_S)
        raise AssertionError(f"{provider.name} has not failed for good")


@pytest.fixture
def scene(tmp_path: Path, loop: ServerLoop) -> Iterator[Scene]:
    """A node with six providers and the embedded model behind them; all are well."""
    with ExitStack() as stack:
        webhook = stack.enter_context(running_webhook())
        providers = hire_all(loop)
        config = "".join(provider.section for provider in providers) + NODE
        environ = {HOOK: webhook.url, **keys_of(providers)}
        node = stack.enter_context(running_daemon(tmp_path, config, environ=environ))
        for worker in (*(provider.name for provider in providers), "embedded"):
            node.wait_available(worker)
        audience = stack.enter_context(chatting(node.url, [each.model for each in providers]))
        yield Scene(node, providers, audience, AlertInbox(webhook))


def _wait(until: Callable[[], object], what: Callable[[], object]) -> None:
    end = time.monotonic() + HANGS_S
    while not until():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


def _each_in_turn(scene: Scene) -> list[str]:
    """One provider after the other fails in all four ways; a letter of each."""
    letters = []
    for provider in scene.providers:
        provider.be_in_trouble()
        letters.append(scene.insist(provider))
        _wait(partial(scene.was_told, _alert_of(provider)), scene.inbox.told.items)
        provider.be_well()
    return letters


def _alert_of(provider: Provider) -> str:
    return f"breaker_open ({provider.name})"


def _all_at_once(scene: Scene) -> list[Chat]:
    """Nobody is left but the embedded model; the chats that it has seen."""
    with all_down(scene.providers):
        _wait(lambda: scene.level == DegradationLevel.CRITICAL.value, lambda: scene.level)
        chats = scene.audience.begun_from_now_on()
        doors = {door.name for door in DOORS}
        _wait(lambda: answered_by(chats(), "embedded") == doors, chats)
        _wait(lambda: scene.was_told(*NODE_ALERTS), scene.inbox.told.items)
        return chats()


def _changes_of_level(node: Daemon) -> list[tuple[int, int]]:
    """From where to where, oldest first; 0 is the best."""
    depths = {level.value: depth for depth, level in enumerate(LEVELS)}
    history: list[Any] = node.admin("/admin/degradation")["history"]
    return [(depths[each["before"]], depths[each["after"]]) for each in reversed(history)]


def test_the_night_that_nobody_wakes_up(scene: Scene, browser: Browser) -> None:
    """All is answered, the level falls and climbs, all alerts come once and go, letters are sent.

    The clients look at each of their answers themselves.
    """
    letters = _each_in_turn(scene)
    assert len(set(letters)) == len(scene.providers)

    outage = _all_at_once(scene)
    assert {chat.worker for chat in outage if chat.is_answered} == {"embedded"}
    assert {chat.level for chat in outage} == {"critical"}

    _wait(lambda: scene.level == DegradationLevel.HEALTHY.value, lambda: scene.level)
    changes = _changes_of_level(scene.node)
    assert all(after == before - 1 for before, after in changes if after < before), changes
    assert max(after for _, after in changes) == LEVELS.index(DegradationLevel.CRITICAL)
    alerts = (*map(_alert_of, scene.providers), *NODE_ALERTS)
    _wait(lambda: scene.was_told(*alerts, is_over=True), scene.inbox.told.items)
    assert not scene.was_told(LETTERS, is_over=True)

    _see_to_the_letters(browser, scene, letters[-1])
    # Some breakers have opened twice, and people were told once.
    assert scene.inbox.told.keys() >= {*alerts, LETTERS}
    assert {tuple(told) for told in scene.inbox.told.values()} == {(FIRED, RESOLVED)}


def _see_to_the_letters(browser: Browser, scene: Scene, letter: str) -> None:
    """An operator has one request answered after all, throws the others away, and all is well."""
    visitor = Visitor(browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]}), scene.node)
    page = visitor.page
    visitor.log_in()
    visitor.go("dead-letters")
    kind = scene.node.admin(f"/admin/dlq/{letter}")["error"]["kind"]
    page.get_by_label("Error").select_option(kind)
    inspect = page.get_by_role("button", name=f"Inspect {letter}")
    row = page.locator("#letters tr", has=inspect)
    inspect.click()
    dialog = page.get_by_role("dialog", name="Dead letter")
    provider = scene.providers[-1]
    expect(dialog.locator("#details-attempts")).to_contain_text(provider.name)
    expect(dialog.locator("#details-request")).to_contain_text("question")
    expect(dialog.locator("#details-answer")).to_have_text("not retried yet")
    dialog.get_by_role("button", name="Retry").click()
    expect(dialog.locator("#details-answer")).to_contain_text(provider.text)
    dialog.get_by_role("button", name="Close").click()
    expect(row.locator('[data-field="retried"]')).to_have_text("answered")
    page.get_by_role("button", name="Purge…").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge").click()
    expect(page.locator("#no-letters")).to_be_visible()
    _wait(lambda: scene.was_told(LETTERS, is_over=True), scene.inbox.told.items)
    visitor.go("overview")
    expect(page.locator("#status")).to_have_text("healthy")
    expect(page.locator("#level")).to_have_text("healthy")
    expect(page.locator("#alerts")).to_have_text("0")
    visitor.check()
    page.close()
