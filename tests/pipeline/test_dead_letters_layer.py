"""The layer that keeps failed requests: before the error is answered, and never instead of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from cortexd.domain.attempt import Attempt
from cortexd.domain.dead_letter import DeadLetter, DeadLetterLimits, FailedAttempt
from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NoWorkerAvailable,
    RequestRefused,
    StorageFailed,
    WorkerFailed,
)
from cortexd.domain.events import DeadLetterKept, Event, ExchangeEnded
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import FIRST_KEY, RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.pipeline.accounting import AccountingLayer
from cortexd.pipeline.dead_letters import KEEP_S_MAX, DeadLetterLayer, DeadLetterParts
from cortexd.pipeline.deadline import Cutoff, DeadlineLayer
from cortexd.pipeline.exchange import ChatService, Exchange, Original
from cortexd.policy.dead_letter import BODY_BYTES_MAX
from cortexd.storage.dead_letters import MIGRATIONS, SqliteDeadLetters
from tests.inline_database import InlineDatabase
from tests.parts import CHANCE

A = WorkerName("a")
BROKEN = WorkerFailed(A, FailureKind.SERVER_ERROR, "it broke")
NOW_S = 1_800_000_000.0


class FakeStore(SqliteDeadLetters):
    """Keeps letters in a list, when it does; `keeping` is called first."""

    def __init__(self, keeping: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint) -> None:
        limits = DeadLetterLimits(entries_max=1, bytes_max=1, age_s_max=1.0)
        super().__init__(InlineDatabase(Path("unused"), MIGRATIONS), limits)
        self.keeping = keeping
        self.letters: list[DeadLetter] = []

    async def keep(self, letter: DeadLetter) -> None:
        await self.keeping()
        self.letters.append(letter)


@attrs.define(eq=False)
class Bench:
    """The outer layers over what a test says."""

    store: FakeStore = attrs.Factory(FakeStore)
    store_body: bool = True
    events: list[Event] = attrs.Factory(list)

    async def ask(self, inner: ChatService, **changes: Any) -> Exchange:
        """Ask, and expect an error; the exchange as it is then."""
        exchange = self.exchange(**changes)
        with pytest.raises(CortexError):
            await self.service(inner)(exchange)
        return exchange

    def exchange(self, **changes: Any) -> Exchange:
        """A request as a door makes it."""
        given = {"original": Original("/v1/chat/completions", b"{}"), **changes}
        return Exchange(request_id=RequestId("r-1"), door="openai", **given)

    def service(self, inner: ChatService) -> AccountingLayer:
        """The layers."""
        parts = DeadLetterParts(
            store=self.store,
            store_body=self.store_body,
            wall_clock=lambda: NOW_S,
            chance=CHANCE,
            emit=self.events.append,
        )
        layer = DeadLetterLayer(DeadlineLayer(inner, cutoff=Cutoff()), parts)
        return AccountingLayer(layer, emit=self.events.append)

    @property
    def ended(self) -> ExchangeEnded:
        """The one account."""
        [ended] = [event for event in self.events if isinstance(event, ExchangeEnded)]
        return ended


async def _break(exchange: Exchange) -> None:
    exchange.trail.attempts.append(
        Attempt(A, "m", FIRST_KEY, 0.0, failure=WorkerFailed(A, FailureKind.TIMED_OUT, "slow"))
    )
    exchange.trail.attempts.append(Attempt(A, "m", FIRST_KEY, 0.0, failure=BROKEN))
    await trio.lowlevel.checkpoint()
    raise BROKEN


async def test_a_failed_request_is_kept_with_all_that_is_known() -> None:
    """Under an id that the exchange, the account and an event name."""
    bench = Bench()

    exchange = await bench.ask(_break)

    [letter] = bench.store.letters
    assert letter.id == exchange.dead_letter == bench.ended.dead_letter
    assert letter.kept_at == NOW_S
    assert (letter.path, letter.body, letter.has_body) == ("/v1/chat/completions", b"{}", True)
    assert (letter.outcome, letter.error) == (Outcome.FAILED, "server_error")
    assert letter.attempts == (FailedAttempt(A, "slow"), FailedAttempt(A, "it broke"))
    assert bench.events[0] == DeadLetterKept(
        dead_letter=letter.id, request_id=RequestId("r-1"), door="openai", error="server_error"
    )


async def test_one_that_ran_out_of_time_is_kept_too() -> None:
    """There is still a moment for it."""
    bench = Bench(FakeStore(partial(trio.sleep, KEEP_S_MAX / 2)))

    async def dawdle(exchange: Exchange) -> None:
        await trio.sleep_forever()

    exchange = await bench.ask(dawdle, timeout_s=3.0)

    assert exchange.dead_letter is not None
    assert bench.store.letters[0].outcome is Outcome.DEADLINE_EXCEEDED
    assert bench.ended.outcome is Outcome.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BROKEN, Outcome.FAILED),
        (NoWorkerAvailable("none", 1.0), Outcome.UNAVAILABLE),
        (DeadlineExceeded("late"), Outcome.DEADLINE_EXCEEDED),
    ],
)
async def test_the_letter_has_the_outcome_of_the_account(
    error: CortexError, outcome: Outcome
) -> None:
    """The two are settled in different places."""
    bench = Bench()

    async def fail(exchange: Exchange) -> None:
        raise error

    await bench.ask(fail)

    assert bench.store.letters[0].outcome is bench.ended.outcome is outcome


async def test_a_store_that_fails_changes_nothing_but_the_id() -> None:
    """The error is the same, and has its outcome."""

    async def fail() -> None:
        raise StorageFailed("no disk")

    bench = Bench(FakeStore(fail))
    exchange = await bench.ask(_break)
    assert exchange.dead_letter is None
    assert bench.ended.outcome is Outcome.FAILED
    assert bench.ended.dead_letter is None


async def test_a_store_that_hangs_is_waited_for_a_second() -> None:
    """And no longer."""
    bench = Bench(FakeStore(trio.sleep_forever))
    exchange = await bench.ask(_break)
    assert exchange.dead_letter is None
    assert bench.ended.duration_s == KEEP_S_MAX


async def test_a_client_that_leaves_meanwhile_has_left() -> None:
    """One outcome, whatever becomes of the letter."""
    bench = Bench(FakeStore(trio.sleep_forever))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.service(_break), bench.exchange())
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert bench.ended.outcome is Outcome.CLIENT_LEFT


async def test_what_was_refused_or_is_a_retry_is_not_kept() -> None:
    """Nor what no door has brought."""
    bench = Bench()

    async def refuse(exchange: Exchange) -> None:
        raise RequestRefused("wrong")

    await bench.ask(refuse)
    await bench.ask(_break, original=Original("/", b"{}", is_retry=True))
    await bench.ask(_break, original=None)

    assert bench.store.letters == []


@pytest.mark.parametrize(
    ("store_body", "size", "is_kept"),
    [(True, BODY_BYTES_MAX, True), (True, BODY_BYTES_MAX + 1, False), (False, 10, False)],
)
async def test_not_every_body_is_kept(*, store_body: bool, size: int, is_kept: bool) -> None:
    """One that is too large, or that is not wanted, leaves its size."""
    bench = Bench(store_body=store_body)
    await bench.ask(_break, original=Original("/", b"x" * size))
    [letter] = bench.store.letters
    assert letter.body_bytes == size
    assert letter.has_body is (letter.body is not None) is is_kept


async def test_one_that_is_answered_costs_nothing() -> None:
    """The store is not even asked."""
    bench = Bench()

    async def answer(exchange: Exchange) -> None:
        pass

    await bench.service(answer)(bench.exchange())
    assert bench.store.letters == []
    assert bench.ended.outcome is Outcome.SERVED
