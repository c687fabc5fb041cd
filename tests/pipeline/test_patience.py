"""The timer of an attempt: fine for short limits, coarse for long ones, still for the client."""

from typing import Any

import pytest
import trio

from cortexd.domain.answer import Batch, TextDelta
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.pipeline.patience import CLIENT_S_MAX, COARSE_S, SHORT, Patience

PIECE: Batch = (TextDelta("x"),)
LONG: Batch = (TextDelta("x" * (SHORT + 1)),)
MANY: Batch = (TextDelta("x"), TextDelta("y"))


def _patience(**settings: Any) -> Patience:
    name = WorkerName("w")
    return Patience(WorkerSettings(name=name, type=WorkerType.SCRIPTED, priority=1, **settings))


async def _give_up_s(patience: Patience) -> float:
    """How long it takes from now on until time is up."""
    began = trio.current_time()
    with patience.scope:
        await trio.sleep_forever()
    return trio.current_time() - began


async def test_the_first_token(autojump_clock: trio.testing.MockClock) -> None:
    """Exactly as long as the setting says."""
    patience = _patience(first_token_seconds=7.0)
    assert await _give_up_s(patience) == pytest.approx(7.0)
    assert patience.waiting_for == "first token (limit 7 s)"


@pytest.mark.parametrize(
    ("idle_s", "slack_s"), [(5.0, 0.0), (CLIENT_S_MAX - 1, 0.0), (CLIENT_S_MAX, COARSE_S)]
)
@pytest.mark.parametrize("pieces", [1, 2, 10, 200])
async def test_between_tokens(
    idle_s: float, slack_s: float, pieces: int, autojump_clock: trio.testing.MockClock
) -> None:
    """Never sooner than the limit after the last piece, nor later than the slack allows."""
    patience = _patience(idle_seconds=idle_s)
    for _ in range(pieces):
        await trio.sleep(0.05)
        patience.pause(PIECE)
        patience.resume()
    waited_s = await _give_up_s(patience)
    assert idle_s - 1e-6 <= waited_s <= idle_s + slack_s + 1e-6
    assert patience.waiting_for == f"next token (limit {idle_s:g} s)"


@pytest.mark.parametrize("idle_s", [1.0, 59.0, 60.0, 300.0])
@pytest.mark.parametrize(
    ("events", "client_s"), [(PIECE, CLIENT_S_MAX - 0.1), (LONG, 500.0), (MANY, 500.0)]
)
async def test_a_slow_client_does_not_try_the_worker_s_patience(
    idle_s: float, events: Batch, client_s: float, autojump_clock: trio.testing.MockClock
) -> None:
    """However the timer stood when it began to write."""
    patience = _patience(idle_seconds=idle_s, total_seconds=10_000.0)
    with patience.scope:
        for waited_s in (0.0, 0.5 * idle_s, 0.99 * idle_s):
            await trio.sleep(waited_s)
            patience.pause(events)
            await trio.sleep(client_s)
            patience.resume()
    assert not patience.scope.cancelled_caught


async def test_the_whole_answer(autojump_clock: trio.testing.MockClock) -> None:
    """The limit of it all holds whoever is slow."""
    patience = _patience(total_seconds=90.0)
    patience.pause(LONG)
    assert await _give_up_s(patience) == pytest.approx(90.0)
    assert patience.waiting_for == "end of the answer (limit 90 s)"


async def test_in_bad_times_the_limits_are_shorter(autojump_clock: trio.testing.MockClock) -> None:
    """For the first token and for the whole, and the message says the limit that was in force."""
    settings = WorkerSettings(
        name=WorkerName("w"),
        type=WorkerType.SCRIPTED,
        priority=1,
        first_token_seconds=10.0,
        total_seconds=100.0,
    )
    hasty = Patience(settings, 0.7)
    assert await _give_up_s(hasty) == pytest.approx(7.0)
    assert hasty.waiting_for == "first token (limit 7 s)"
    talking = Patience(settings, 0.7)
    talking.pause(LONG)
    assert await _give_up_s(talking) == pytest.approx(70.0)
    assert talking.waiting_for == "end of the answer (limit 70 s)"
