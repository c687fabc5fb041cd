"""`cortexctl load-monitor …`: how a node does under a test."""

from collections.abc import Mapping
from typing import Any, Final

import click
from rich.text import Text

from cortexd.ctl.admin_api import AdminApi
from cortexd.ctl.showing import part, show, state, table

SAMPLES_SHOWN: Final = 20

_SAMPLES: Final = (
    *("at", "requests/s", "errors", "p50 ms", "p95 ms", "p99 ms", "loop lag ms", "memory MiB"),
    *("tasks", "in flight", "queued", "hits", "workers", "breakers open"),
)
_SERIES: Final = ("", "min", "mean", "p50", "p95", "max")


@click.group("load-monitor")
def load_monitor() -> None:
    """Sample the node while it is under test."""


@load_monitor.command()
@click.option(
    "--interval",
    type=click.FloatRange(1, 3600),
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="Between two samples.",
)
@click.option(
    "--duration",
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="End by itself then; 720 samples, if not said, and never more.",
)
@click.pass_obj
def start(api: AdminApi, *, interval: float, duration: float | None) -> None:
    """Begin to sample; what the last run has found is gone."""
    told = {"interval_seconds": interval}
    if duration is not None:
        told["duration_seconds"] = duration
    document = api.post("/admin/load-monitor/start", told)
    show(api, document, _head(document))


@load_monitor.command()
@click.pass_obj
def stop(api: AdminApi) -> None:
    """End the run, and show what it has come to."""
    document = api.post("/admin/load-monitor/stop")
    show(api, document, _head(document), *_summary(document))


@load_monitor.command("show")
@click.pass_obj
def show_samples(api: AdminApi) -> None:
    """The latest samples, and the sum of a run that has ended."""
    document = api.get("/admin/load-monitor")
    samples = document.get("samples", [])[-SAMPLES_SHOWN:]
    shown = [table(_SAMPLES, map(_row, samples))] if samples else []
    show(api, document, _head(document), *shown, *_summary(document))


def _head(document: Mapping[str, Any]) -> Text:
    if document.get("started_at") is None:
        return Text("never started")
    word = "running" if document.get("running") else "stopped"
    every = f", each {document.get('interval_seconds'):g} s since {document['started_at']}"
    until = f" until {document['stopped_at']}" if document.get("stopped_at") else ""
    return Text.assemble(state(word), every, until)


def _row(sample: Mapping[str, Any]) -> list[object]:
    latency, pool = part(sample, "latency_ms"), part(sample, "pool")
    return [
        str(sample.get("at"))[11:19],
        sample.get("requests_per_second"),
        _percent(sample.get("error_rate")),
        *(_rounded(latency.get(name)) for name in ("p50", "p95", "p99")),
        *(_rounded(sample.get(name)) for name in ("loop_lag_ms", "memory_mib")),
        sample.get("tasks"),
        pool.get("in_flight"),
        pool.get("queued"),
        _percent(part(sample, "cache").get("hit_rate")),
        f"{sample.get('workers_available')}/{sample.get('workers')}",
        part(sample, "breakers").get("open"),
    ]


def _summary(document: Mapping[str, Any]) -> list[Any]:
    whole = part(document, "summary")
    if not whole:
        return []
    latency = part(whole, "latency_ms")
    told = (
        ("requests", whole.get("requests")),
        ("requests/s", whole.get("requests_per_second")),
        ("errors", _percent(whole.get("error_rate"))),
        ("turned away", _percent(whole.get("turned_away_rate"))),
        *((f"{name} ms", _rounded(latency.get(name))) for name in ("p50", "p95", "p99")),
        ("memory MiB/min", whole.get("memory_mib_per_minute")),
    )
    rows = [
        [name, *(_rounded(spread.get(key)) for key in _SERIES[1:])]
        for name, spread in part(whole, "series").items()
    ]
    return [table([name for name, _ in told], [[value for _, value in told]]), table(_SERIES, rows)]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f} %"


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
