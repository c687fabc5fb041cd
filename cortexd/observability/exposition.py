"""The metrics in the text formats that Prometheus and its kin read.

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics 1.0,
https://prometheus.io/docs/specs/om/open_metrics_spec/.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client import generate_latest as plain_text
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPEN
from prometheus_client.openmetrics.exposition import generate_latest as open_metrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from cortexd.observability.metric_catalog import READ, Kind, Metric
from cortexd.observability.metrics import Metrics
from cortexd.observability.tallies import Spread

Readings: TypeAlias = Mapping[Metric, Sequence[tuple[tuple[str, ...], float]]]
"""What was read off the node: for each metric its values, with those of its labels."""

_OPEN_TYPE: Final = "application/openmetrics-text"
_OPEN_END: Final = b"# EOF\n"

_SAMPLES_MAX: Final = 200
"""So many are written in one go: that takes a millisecond or two."""


class Exposition:
    """Writes down all metrics. `read` gives those that are not counted, but read when asked for."""

    def __init__(self, metrics: Metrics, read: Callable[[], Readings]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Observed(metrics))
        self._registry.register(_Read(read))
        ProcessCollector(namespace="cortexd", registry=self._registry)

    def expose(self, accept: str) -> tuple[str, Iterator[bytes]]:
        """The content type that suits this `Accept`, and the text in parts.

        Each part is written when it is asked for, so that others may have a turn between two.
        """
        if _OPEN_TYPE in accept:
            return CONTENT_TYPE_OPEN, self._open()
        return CONTENT_TYPE_PLAIN_0_0_4, self._plain()

    def _plain(self) -> Iterator[bytes]:
        for family in self._registry.collect():
            yield from _parts(family, plain_text)

    def _open(self) -> Iterator[bytes]:
        for family in self._registry.collect():
            yield from _parts(family, open_metrics)
        yield _OPEN_END


class _One(Collector):
    """A family by itself, or some of its samples."""

    def __init__(self, family: Family, samples: Sequence[Sample]) -> None:
        self._family = Family(family.name, family.documentation, family.type, family.unit)
        self._family.samples = list(samples)

    def collect(self) -> Iterator[Family]:
        yield self._family


def _parts(family: Family, write: Callable[[Collector], bytes]) -> Iterator[bytes]:
    """The text of a family, some samples at a time."""
    end = _OPEN_END if write is open_metrics else b""
    head = write(_One(family, ())).removesuffix(end)
    yield head
    for start in range(0, len(family.samples), _SAMPLES_MAX):
        text = write(_One(family, family.samples[start : start + _SAMPLES_MAX]))
        yield text.removeprefix(head).removesuffix(end)


class _Observed(Collector):
    """What events have moved."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> list[Family]:
        return [_counter(metric) for metric in self._metrics.counts] + [
            _histogram(metric) for metric in self._metrics.spreads
        ]

    def collect(self) -> Iterator[Family]:
        for metric, counts in self._metrics.counts.items():
            counter = _counter(metric)
            for labels, count in counts.items():
                counter.add_metric(labels, count.value)
            yield counter
        for metric, spreads in self._metrics.spreads.items():
            histogram = _histogram(metric)
            for labels, spread in spreads.items():
                histogram.add_metric(labels, _buckets(metric, spread), spread.total)
            yield histogram


class _Read(Collector):
    """What is read off the node now."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read

    def describe(self) -> list[Family]:
        return [_value(metric) for metric in READ]

    def collect(self) -> Iterator[Family]:
        readings = self._read()
        for metric in READ:
            family = _value(metric)
            for labels, value in readings.get(metric, ()):
                family.add_metric(labels, value)
            yield family


def _value(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    return _counter(metric) if metric.kind is Kind.COUNTER else _gauge(metric)


def _counter(metric: Metric) -> CounterMetricFamily:
    return CounterMetricFamily(
        metric.base_name, metric.meaning, labels=metric.labels, unit=metric.unit
    )


def _gauge(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        metric.base_name, metric.meaning, labels=metric.labels, unit=metric.unit
    )


def _histogram(metric: Metric) -> HistogramMetricFamily:
    return HistogramMetricFamily(
        metric.base_name, metric.meaning, labels=metric.labels, unit=metric.unit
    )


def _buckets(metric: Metric, spread: Spread) -> list[tuple[str, float]]:
    """The bounds, each with how many values are not above it."""
    bounds = (*map(str, metric.buckets), "+Inf")
    return list(zip(bounds, accumulate(spread.counts), strict=True))
