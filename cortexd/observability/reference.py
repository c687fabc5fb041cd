"""Writes docs/reference/metrics.md from the catalogue.

`python -m cortexd.observability.reference` prints the page. A test holds the checked-in one against
it.
"""

import sys
from collections.abc import Iterator, Sequence

from prometheus_client import ProcessCollector

from cortexd.observability.metric_catalog import OBSERVED, READ, Kind, Metric

_HEAD = """\
# Metrics

<!-- Written by `python -m cortexd.observability.reference`; do not edit by hand. -->

`GET /metrics` on the admin listener gives them to whoever has the admin token or a key of the scope
`metrics`, in the text format of Prometheus, or in that of OpenMetrics 1.0 where `Accept` asks for
`application/openmetrics-text`.
All times are in seconds, all sizes in bytes, and a histogram `NAME` has the series `NAME_bucket`,
`NAME_sum` and `NAME_count`.

No label has a value that a client can choose: there are none for models, and a door or worker that
is not known counts as `other`, as do the workers behind the 256th. The series of a worker go when
it is removed; what it is still answering then is `other`, too.

`GET /admin/metrics/history` has a small choice of them over time, for charts, without Prometheus.
"""


def page() -> str:
    """The whole reference, in Markdown."""
    return "\n".join(
        [
            _HEAD,
            *_table("Counted as it happens", OBSERVED),
            *_table("Read when asked for", READ),
            *_process(),
            *_buckets(),
        ]
    )


def _table(title: str, metrics: Sequence[Metric]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| metric | type | labels | meaning |\n|---|---|---|---|"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
        yield f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.meaning} |"
    yield ""


def _process() -> Iterator[str]:
    yield "## The process\n"
    yield "| metric | type | meaning |\n|---|---|---|"
    for family in ProcessCollector(namespace="cortexd", registry=None).collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {family.documentation} |"
    yield ""


def _buckets() -> Iterator[str]:
    yield "## The bounds of the buckets\n"
    for metric in OBSERVED:
        if metric.kind is Kind.HISTOGRAM:
            bounds = ", ".join(f"{bound:g}" for bound in metric.buckets)
            yield f"- `{metric.name}`: {bounds}"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
