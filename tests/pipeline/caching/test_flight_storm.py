"""Requests that come and go at random, with clients of any speed: invariants that always hold."""

import random
from typing import Any

import pytest
import trio

from cortexd.domain.answer import Finished, FinishReason, TextDelta, ToolCallDelta

END = Finished(FinishReason.STOP)
PIECES = 700
"""Enough for a record to be joined several times."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
async def test_whoever_stays_has_the_whole_answer(make_stand: Any, seed: int) -> None:
    """Each piece once and in order; whoever leaves is gone at once; and nothing stays behind."""
    chance = random.Random(seed)  # noqa: S311  a seed, no secret
    steps: list[Any] = []
    for number in range(PIECES):
        steps.append(f"{number} " if chance.random() < 0.95 else ToolCallDelta(0, f"{number} "))
        if chance.random() < 0.03:
            steps.append(chance.choice([0.01, 0.1, 1.0]))
    stand = make_stand(*steps, END)
    whole = _told([TextDelta(step) if isinstance(step, str) else step for step in steps])
    exchanges = [stand.exchange(chance.choice("ab")) for _ in range(30)]

    async def come_and_go(exchange: Any) -> None:
        exchange.downstream.pause_s = chance.choice([0.0, 0.0, 0.0, 0.02, 0.2])
        await trio.sleep(chance.choice([0.0, chance.uniform(0.0, 5.0)]))
        began_at = trio.current_time()
        limit_s = chance.choice([1000.0, chance.uniform(0.0, 10.0)])
        how = chance.choice(["leaves_after_s", "timeout_s"])
        client = await stand.ask(exchange, **{how: limit_s})
        if client.error is None:
            assert client.is_whole
            assert _told(client.events) == whole
        else:
            assert isinstance(client.error, TimeoutError)
            assert client.ended_at == began_at + limit_s
            told = _told(client.events)
            assert whole[: len(told)] == told
            batches = len(client.batches)
            await trio.sleep(100.0)
            assert len(client.batches) == batches

    async with stand.parts.flights.open():
        async with trio.open_nursery() as nursery:
            for exchange in exchanges:
                nursery.start_soon(come_and_go, exchange)
        assert stand.is_idle()


def _told(events: list[Any]) -> str:
    """All that was said, whatever the pieces."""
    return "".join(
        event.text if isinstance(event, TextDelta) else event.arguments
        for event in events
        if isinstance(event, TextDelta | ToolCallDelta)
    )
