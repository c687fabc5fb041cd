"""Runs k6 with the scenario, and reads what it has found.

Sources: `k6 run --help`; https://grafana.com/docs/k6/latest/results-output/end-of-test/custom-summary/
for the shape of the summary; https://grafana.com/docs/k6/latest/using-k6/thresholds/ for its exit
code where a threshold is crossed.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import msgspec
import trio

from bench.gateway.process import NotRunning
from bench.load.nodes import Target
from bench.load.plan import ENDING_S_MAX, Plan
from bench.load.process import Started, started

PROGRAM: Final = Path(sys.prefix) / "bin" / "k6"
SCENARIO: Final = Path(__file__).with_name("scenario.js")

START_S_MAX: Final = 30.0

_EXIT_OK: Final = 0
_EXIT_THRESHOLD_CROSSED: Final = 99

_CHATS: Final = "http_req_duration{kind:chat}"


class _Threshold(msgspec.Struct):
    ok: bool


class _Metric(msgspec.Struct):
    values: dict[str, float]
    thresholds: dict[str, _Threshold] = {}


class _Summary(msgspec.Struct):
    metrics: dict[str, _Metric]


@attrs.frozen(kw_only=True)
class Threshold:
    """A promise such as `p(95)<2000` about a metric of k6, and whether it was kept."""

    metric: str
    promise: str
    value: float
    is_kept: bool


@attrs.frozen(kw_only=True)
class Figures:
    """What k6 has found. Times are of chats, from the request to its last byte, in milliseconds.

    What went wrong: `unanswered` in time, or at all; `refused`, by its status; `not_whole`.
    """

    requests: int
    requests_per_second: float
    chats: int
    unanswered: int
    refused: int
    not_whole: int
    error_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    thresholds: tuple[Threshold, ...]

    @property
    def is_good(self) -> bool:
        """Whether there was anything to measure, and all promises were kept."""
        return self.chats > 0 and all(each.is_kept for each in self.thresholds)


@attrs.frozen
class K6:
    """A running k6."""

    started: Started
    summary: Path

    async def figures(self, plan: Plan) -> Figures:
        """Wait until it has ended, and read its summary. Errors: `NotRunning`."""
        with trio.move_on_after(START_S_MAX + plan.total_s + ENDING_S_MAX):
            await self.started.process.wait()
        code = self.started.process.returncode
        if code not in {_EXIT_OK, _EXIT_THRESHOLD_CROSSED}:
            how = "did not end in time" if code is None else f"failed with {code}"
            raise NotRunning(f"k6 {how}; the end of its log:\n{self.started.end_of_log}")
        try:
            return read_figures(self.summary.read_bytes())
        except FileNotFoundError as exc:
            raise NotRunning(
                f"k6 has written no summary; the end of its log:\n{self.started.end_of_log}"
            ) from exc


@asynccontextmanager
async def running_k6(plan: Plan, target: Target, folder: Path) -> AsyncIterator[K6]:
    """Start it; end it with the block, if it has not ended by then. Errors: `NotRunning`."""
    if not PROGRAM.exists():
        raise NotRunning(f"there is no {PROGRAM}: `make load` installs it")
    own = folder / "k6"
    own.mkdir()
    summary = own / "summary.json"
    # It has an API of its own, which nobody needs here.
    command = [str(PROGRAM), "run", "--quiet", "--no-usage-report", "--address", "", str(SCENARIO)]
    environment = {
        "BASE_URL": target.url,
        "MODEL": target.model,
        "API_KEY": target.key,
        "STAGES": plan.stages,
        "SUMMARY": str(summary),
    }
    async with started(command, own, environment) as process:
        yield K6(process, summary)


def read_figures(document: bytes) -> Figures:
    """What k6 says in its summary. Errors: `NotRunning`, where that is not one."""
    try:
        metrics = msgspec.json.decode(document, type=_Summary).metrics
    except msgspec.MsgspecError as exc:
        raise NotRunning(f"k6 has written no summary ({exc})") from exc

    def values(name: str) -> dict[str, float]:
        # A metric that nothing was added to is not there.
        return metrics[name].values if name in metrics else {}

    def count(name: str) -> int:
        return int(values(name).get("count", 0))

    chats = values(_CHATS)
    return Figures(
        requests=count("http_reqs"),
        requests_per_second=values("http_reqs").get("rate", 0.0),
        chats=count(_CHATS),
        unanswered=count("unanswered"),
        refused=count("refused"),
        not_whole=count("not_whole"),
        error_rate=values("errors").get("rate", 0.0),
        p50_ms=chats.get("med", 0.0),
        p95_ms=chats.get("p(95)", 0.0),
        p99_ms=chats.get("p(99)", 0.0),
        max_ms=chats.get("max", 0.0),
        thresholds=tuple(
            Threshold(
                metric=name,
                promise=promise,
                value=metric.values.get(promise.split("<")[0], 0.0),
                is_kept=threshold.ok,
            )
            for name, metric in metrics.items()
            for promise, threshold in metric.thresholds.items()
        ),
    )
