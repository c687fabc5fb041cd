"""Of what kind a worker's failure was: it is published with the verdict, for alerts to go by."""

from typing import Any

import trio
import trio.testing

from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerHealth
from cortexd.policy.health import HealthSettings, Probe, judge
from supervisor_tree import open_tree

A = WorkerName("a")


async def test_the_kind_is_there_as_long_as_the_worker_is_out(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """And gone with it."""
    branch.patients["a"].failure = "connection refused"
    async with open_tree(branch.tree):
        await trio.sleep(1)
        assert branch.board.value[A].failure is FailureKind.UNREACHABLE
        branch.patients["a"].failure = None
        await trio.sleep(60)
        assert branch.status("a") == ("available", None)
        assert branch.board.value[A].failure is None


def test_it_is_that_of_the_last_bad_check() -> None:
    """A good check does not take it away, but a verdict does; silence has no kind."""
    settings = HealthSettings(unhealthy_after=1, healthy_after=2)
    untrusted = Probe(failure="the certificate is refused", kind=FailureKind.UNTRUSTED)
    kinds = []
    health = WorkerHealth()
    for probe in (untrusted, Probe(), untrusted, Probe(failure="no answer"), Probe(), Probe()):
        health = judge(health, probe, now=0.0, settings=settings)
        kinds.append(health.failure)
    expected = [FailureKind.UNTRUSTED] * 3 + [None] * 3
    assert kinds == expected
