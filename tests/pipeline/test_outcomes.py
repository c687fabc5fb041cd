"""What counts is what the client has got."""

from typing import Any

import trio

from cortexd.domain.events import ExchangeEnded
from cortexd.domain.outcome import Outcome


async def test_time_that_runs_out_behind_a_whole_answer_is_nobodys(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The client has all of it, while the worker's connection is still being put away."""
    bench = make_bench(["hello"])
    bench.workers[0].closing_s = 9.0
    exchange = bench.exchange(timeout_s=5.0)

    await bench.service(exchange)

    assert (exchange.downstream.text, exchange.downstream.finished) == ("hello", True)
    assert _outcomes(bench) == [Outcome.SERVED]


async def test_a_client_that_hangs_up_on_the_terminator_was_served(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """As most clients do."""
    bench = make_bench(["hello"])
    bench.workers[0].closing_s = 9.0
    with trio.move_on_after(5.0):
        await bench.service(bench.exchange())
    assert _outcomes(bench) == [Outcome.SERVED]


async def test_a_client_that_wants_it_whole_and_leaves_has_left(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """It has got nothing."""
    bench = make_bench(["hello"])
    bench.workers[0].closing_s = 9.0
    with trio.move_on_after(5.0):
        await bench.service(bench.exchange(collects=True))
    assert _outcomes(bench) == [Outcome.CLIENT_LEFT]


def _outcomes(bench: Any) -> list[Outcome]:
    return [event.outcome for event in bench.events if isinstance(event, ExchangeEnded)]
