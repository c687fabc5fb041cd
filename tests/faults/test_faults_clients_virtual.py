"""C2 and C3 on the virtual clock: nobody waits for a slow client, nothing for one that has left."""

from pathlib import Path
from typing import Final

import pytest
import trio
import trio.testing

from cortexd.domain.outcome import Outcome
from tests.faults.virtual_node import Told, running_node

LEFT_S_MAX: Final = 1.0
"""How long after its client's a request may still be there."""

PHASES: Final = {
    "queued": "max_concurrency = 1\nscript = [{ hang = true }]",
    "backing off": 'script = [{ fail = "server_error" }]',
    "connecting": 'script = [{ wait = 1000 }, { say = "late" }]',
    "before the first token": "script = [{ hang = true }]",
    "streaming": 'script = [{ say = "p0;" }, { hang = true }]',
}

WORKER: Final = """
[[workers]]
name = "worker"
type = "scripted"
script = [{ wait = 1 }, { say = "all is well", split = "words", every = 0.1 }]
"""


async def test_c2_a_slow_client_slows_nobody_else(tmp_path: Path) -> None:
    """Beside it, and behind the same upstream call, all others take as long as without it."""
    async with running_node(tmp_path, WORKER) as node:
        alone = await node.ask("something")
        slow: list[Told] = []

        async def read_slowly(text: str) -> None:
            slow.append(await node.ask(text, pause_s=5.0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_slowly, "the same")
            nursery.start_soon(read_slowly, "its own")
            await trio.testing.wait_all_tasks_blocked()
            others = [await node.ask(text) for text in ("the same", "another", "a third")]
        assert {each.text for each in (*others, *slow)} == {alone.text}
        assert [each.seconds for each in others] == [pytest.approx(alone.seconds)] * 3
        assert min(each.seconds for each in slow) > 5.0


@pytest.mark.parametrize("phase", PHASES)
async def test_c3_all_is_given_back_within_a_second(tmp_path: Path, phase: str) -> None:
    """A hundred clients leave at once, in each phase of a request."""
    worker = f"""
[breaker]
enabled = false
[retry]
budget_ratio = 1
budget_floor_per_second = 100
[[workers]]
name = "worker"
type = "scripted"
queue_max = 200
{"max_concurrency = 200" if phase != "queued" else ""}
{PHASES[phase]}
"""
    async with running_node(tmp_path, worker) as node:
        async with trio.open_nursery() as clients:
            for _ in range(100):
                clients.start_soon(node.ask)
            await trio.sleep(0.1)
            (slots,) = [each.slots for each in node.app.pool.roster.value]
            held = {"queued": (1, 99), "backing off": (0, 0)}.get(phase, (100, 0))
            in_flight = node.app.pipeline.cutoff.in_flight
            assert (slots.in_flight, slots.queued, in_flight) == (*held, 100)
            clients.cancel_scope.cancel()
        with trio.move_on_after(LEFT_S_MAX):
            while not node.is_idle():  # noqa: ASYNC110  time is virtual
                await trio.sleep(0.01)
        assert node.is_idle()
        assert node.outcomes == {Outcome.CLIENT_LEFT: 100}
