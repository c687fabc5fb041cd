"""One load test: k6 plays the users, and meanwhile everybody is watched."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from bench.gateway.process import NotRunning
from bench.load.cpu import CpuClocks, cores_used, read_clocks
from bench.load.k6 import Figures, running_k6
from bench.load.nodes import Node, Target
from bench.load.plan import Plan

WATCH_S: Final = 1.0
TELL_S: Final = 5.0


@attrs.frozen(kw_only=True)
class LoadTest:
    """What has come of it.

    `cores`: how many cores each process, and the machine, has kept busy while all users were there.
    `monitors`: the sum of each node's load monitor, by its name.
    """

    plan: Plan
    figures: Figures
    cores: Mapping[str, float]
    monitors: Mapping[str, Any]


async def run_load_test(
    plan: Plan, target: Target, folder: Path, *, sample_s: float, tell: Callable[[str], object]
) -> LoadTest:
    """Put the load on, and wait for its end; `tell` is told how it goes. Raises `NotRunning`."""
    for node in target.nodes:
        await node.start_monitor(sample_s)
    async with running_k6(plan, target, folder) as k6:
        watch = _Watch(
            plan, {"k6": k6.started.pid, **{n.name: n.started.pid for n in target.nodes}}
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell_on, watch, target.nodes, sample_s, tell)
                nursery.start_soon(watch.run)
                figures = await k6.figures(plan)
                nursery.cancel_scope.cancel()
        except* NotRunning as failures:
            raise failures.exceptions[0] from None
    monitors = {node.name: await node.stop_monitor() for node in target.nodes}
    return LoadTest(plan=plan, figures=figures, cores=watch.cores_when_full(), monitors=monitors)


class _Watch:
    """Reads the processes' clocks again and again: those of one that has ended are gone."""

    def __init__(self, plan: Plan, processes: Mapping[str, int]) -> None:
        self.plan = plan
        self._processes = processes
        self._began_at = trio.current_time()
        self._full: list[CpuClocks] = []
        self.latest = read_clocks(processes)

    @property
    def elapsed_s(self) -> float:
        """How long the test has been running."""
        return trio.current_time() - self._began_at

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await trio.sleep(WATCH_S)
            self.latest = read_clocks(self._processes)
            if self.plan.is_full(self.elapsed_s):
                self._full.append(self.latest)

    def cores_when_full(self) -> dict[str, float]:
        """Between the first and the last reading with all users there; empty without two."""
        return cores_used(self._full[0], self._full[-1]) if self._full else {}


async def _tell_on(
    watch: _Watch, nodes: Sequence[Node], sample_s: float, tell: Callable[[str], object]
) -> None:
    plan, before = watch.plan, watch.latest
    while True:
        await trio.sleep(TELL_S)
        cores, before = cores_used(before, watch.latest), watch.latest
        told = [f"{watch.elapsed_s:4.0f} s of {plan.total_s:.0f}"]
        told.append(f"{plan.users_at(watch.elapsed_s)} users")
        for node in nodes:
            sample = await node.latest_sample(sample_s)
            if sample is not None:
                told.append(f"{node.name}: {_in_words(sample)}")
        told.append("cores: " + ", ".join(f"{name} {used:.2f}" for name, used in cores.items()))
        tell(" | ".join(told))


def _in_words(sample: Mapping[str, Any]) -> str:
    p95_ms = sample["latency_ms"]["p95"]
    return (
        f"{sample['requests_per_second']:.0f} requests/s"
        + ("" if p95_ms is None else f", p95 {p95_ms:.0f} ms")
        + (f", {sample['error_rate']:.1%} errors" if sample["error_rate"] else "")
    )
