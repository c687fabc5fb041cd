"""A whole node under a virtual clock and a seed: whatever fails, the invariants hold.

A seed that fails tells its history; `python -m tests.simulation.run --seed N` plays it again.
"""

from collections.abc import Callable
from typing import Any

import pytest

from cortexd.actors.worker_slots import WorkerSlots
from cortexd.http.doors.replies import CollectedReply, StreamedReply
from cortexd.pipeline.accounting import AccountingLayer
from cortexd.pipeline.exchange import Exchange
from cortexd.policy.circuit_breaker import CircuitBreaker
from cortexd.providers.key_headers import KeyedHeaders
from cortexd.providers.transport.carrier import Carrier
from tests.simulation.run import report
from tests.simulation.simulate import simulate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

SEEDS = 200
SEEDS_FOR_A_FLAW = 20


@pytest.mark.parametrize("seed", range(SEEDS), ids=lambda seed: f"seed-{seed}")
def test_invariants_hold(seed: int) -> None:
    """Nothing is lost, doubled, leaked or left behind, and in the end all is well again."""
    run = simulate(seed)

    assert run.history.violations == [], report(run)


def test_a_seed_replays_exactly() -> None:
    """The same seed has the same history, to the last line; another seed has another."""
    first, again, other = simulate(1), simulate(1), simulate(2)

    assert again.history.lines == first.history.lines
    assert other.history.lines != first.history.lines


async def _unaccounted(layer: Any, exchange: Exchange) -> None:
    """Answer, and tell nobody."""
    await layer._inner(exchange)


FLAWS: dict[str, tuple[type, str, Callable[..., Any], str]] = {
    "a slot that is not given back": (WorkerSlots, "_release", lambda *_: None, "slots"),
    "a connection that is not closed": (Carrier, "abandon", lambda *_: None, "still busy"),
    "an answer begun twice": (StreamedReply, "start_over", lambda _: True, "wrong"),
    "an answer kept of one that failed": (CollectedReply, "start_over", lambda _: True, "wrong"),
    "a key for everybody": (
        KeyedHeaders,
        "carrying",
        lambda *_: {"authorization": "Bearer key-openai0-0", "x-api-key": "key-openai0-0"},
        "key of another host",
    ),
    "a circuit breaker that stays open": (
        CircuitBreaker,
        "_has_free_trial",
        lambda _: False,
        "circuit breaker",
    ),
    "an exchange without an outcome": (AccountingLayer, "__call__", _unaccounted, "outcome"),
}
"""What a node could get wrong: where, how, and a word of what is then found."""


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_found(flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariants that could not be broken would be worthless."""
    owner, name, wrong, word = FLAWS[flaw]
    monkeypatch.setattr(owner, name, wrong)

    found: list[str] = []
    for seed in range(SEEDS_FOR_A_FLAW):
        found += simulate(seed).history.violations
        if any(word in violation for violation in found):
            return
    pytest.fail(f"not found in {SEEDS_FOR_A_FLAW} seeds: {found}")
