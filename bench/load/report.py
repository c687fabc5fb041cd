"""What a load test comes to, in words and numbers: the verdict above all."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bench.load.cpu import CORES, FULL_SHARE, MACHINE
from bench.load.k6 import Figures, Threshold
from bench.load.run import LoadTest

_NAMES: Final = {
    "http_req_duration{kind:chat}": "chats, 95th percentile",
    "errors": "errors",
}


def render(test: LoadTest) -> str:
    """All there is to say about it, the verdict last."""
    parts = [_figures(test.figures), _monitors(test.monitors), _cores(test)]
    return "\n\n".join(part for part in (*parts, verdict(test)) if part)


def verdict(test: LoadTest) -> str:
    """Each threshold with what it was, and the sentence that matters."""
    figures, users = test.figures, test.plan.users
    lines = [_threshold(each) for each in figures.thresholds]
    if not figures.chats:
        return "\n".join([*lines, "FAILED: there was not a single chat"])
    word = "PASSED: it bears" if figures.is_good else "FAILED: it does not bear"
    return "\n".join([*lines, f"{word} {users} users"])


def in_a_line(test: LoadTest) -> str:
    """One of several tests."""
    figures = test.figures
    return (
        f"{test.plan.users} users: {'held' if figures.is_good else 'too many'}"
        f" (p95 {figures.p95_ms:.0f} ms, {figures.error_rate:.1%} errors,"
        f" {figures.requests_per_second:.0f} requests/s;"
        f" cores: {', '.join(f'{name} {used:.2f}' for name, used in test.cores.items())})"
    )


def _figures(figures: Figures) -> str:
    return (
        f"{figures.requests} requests, {figures.requests_per_second:.1f} a second;"
        f" {figures.chats} chats\n"
        f"{figures.unanswered} without an answer, {figures.refused} refused,"
        f" {figures.not_whole} not whole\n"
        f"chats took {figures.p50_ms:.0f} ms (median), {figures.p95_ms:.0f} (p95),"
        f" {figures.p99_ms:.0f} (p99), {figures.max_ms:.0f} at worst"
    )


def _threshold(threshold: Threshold) -> str:
    name = _NAMES.get(threshold.metric, threshold.metric)
    mark = "ok" if threshold.is_kept else "CROSSED"
    return f"{name:24} {threshold.promise:14} {threshold.value:10.4g}  {mark}"


def _monitors(monitors: Mapping[str, Any]) -> str:
    if not monitors:
        return ""
    head = (
        f"{'':10}{'requests':>9}{'errors':>8}{'away':>7}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}"
        f"{'lag ms':>8}{'MiB':>8}{'MiB/min':>9}{'tasks':>8}{'hits':>7}"
    )
    return "\n".join([head, *(_monitor(name, each) for name, each in monitors.items())])


def _monitor(name: str, summary: Mapping[str, Any]) -> str:
    latency, series = summary["latency_ms"], summary["series"]
    return "".join(
        (
            f"{name:10}{summary['requests']:9}{summary['error_rate']:8.1%}",
            f"{summary['turned_away_rate']:7.1%}",
            *(_number(latency[key], 8) for key in ("p50", "p95", "p99")),
            _number(_most(series, "loop_lag_ms"), 8),
            _number(_most(series, "memory_mib"), 8),
            _number(summary["memory_mib_per_minute"], 9, decimals=1),
            _number(_most(series, "tasks"), 8),
            _percent(series.get("cache_hit_rate", {}).get("mean"), 7),
        )
    )


def others_cores(test: LoadTest) -> float:
    """How many cores were busy with what has nothing to do with the test."""
    own = sum(used for name, used in test.cores.items() if name != MACHINE)
    return max(0.0, test.cores.get(MACHINE, 0.0) - own)


def _cores(test: LoadTest) -> str:
    return "\n".join(_core_lines(test)) if test.cores else ""


def _core_lines(test: LoadTest) -> Iterator[str]:
    cores, others = test.cores, others_cores(test)
    used = ", ".join(f"{name} {cores[name]:.2f}" for name in cores if name != MACHINE)
    yield f"of {CORES} cores, with all users there: {used}, everything else {others:.2f}"
    if cores[MACHINE] >= FULL_SHARE * CORES:
        yield (
            f"the machine itself is the limit: {cores[MACHINE]:.2f} cores are busy,"
            f" {cores.get('k6', 0.0):.2f} of them with playing the users,"
            f" {others:.2f} with other things"
        )


def _most(series: Mapping[str, Any], name: str) -> float | None:
    return series[name]["max"] if name in series else None


def _number(value: float | None, width: int, *, decimals: int = 0) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{decimals}f}"


def _percent(value: float | None, width: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.1%}"
