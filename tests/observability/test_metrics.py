"""What is counted, and that nobody outside can make it count under names of his own."""

import random
from collections.abc import Mapping

import attrs
import pytest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from cortexd.domain.cache_use import CacheUse
from cortexd.domain.events import (
    BreakerChanged,
    CredentialRejected,
    DeadLetterKept,
    DeadLettersDropped,
    Event,
    WorkerRegistered,
    WorkerUnregistered,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import DeadLetterId, RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage
from cortexd.observability.event_sinks import EventSinks
from cortexd.observability.exposition import Exposition, Readings
from cortexd.observability.metric_catalog import (
    IN_FLIGHT,
    OBSERVED,
    READ,
    RESTARTS,
    WORKER_STATUS,
    Metric,
)
from cortexd.observability.metrics import WORKERS_MAX, Metrics
from tests.ended import attempted, ended

NAMES_MAX = 2000

READINGS: Readings = {
    IN_FLIGHT: [((), 3.0)],
    RESTARTS: [(("root/workers",), 2.0)],
    WORKER_STATUS: [(("a", "available"), 1.0), (("a", "unavailable"), 0.0)],
}


@pytest.fixture
def metrics() -> Metrics:
    """Those of a node with two workers."""
    return Metrics([WorkerName("a"), WorkerName("b")])


def _text(metrics: Metrics, readings: Readings | None = None, *, accept: str = "") -> str:
    _, parts = Exposition(metrics, lambda: READINGS if readings is None else readings).expose(
        accept
    )
    return b"".join(parts).decode()


def _values(metrics: Metrics) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    """All series but for the process's."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in plain_families(_text(metrics))
        for sample in family.samples
        if "_process_" not in sample.name
    }


def _value(metrics: Metrics, name: str, **labels: str) -> float:
    return _values(metrics)[name, frozenset(labels.items())]


def test_an_exchange_counts_once(metrics: Metrics) -> None:
    """In the counter of its outcome, and in each histogram that it has a value for."""
    metrics.observe(ended())
    assert _value(metrics, "cortexd_requests_total", door="openai", outcome="served") == 1
    for name, total in (
        ("cortexd_request_duration_seconds", 1.2),
        ("cortexd_time_to_first_token_seconds", 0.2),
        ("cortexd_gateway_overhead_seconds", 0.0004),
    ):
        assert _value(metrics, f"{name}_count", door="openai") == 1
        assert _value(metrics, f"{name}_sum", door="openai") == pytest.approx(total)
        assert _value(metrics, f"{name}_bucket", door="openai", le="+Inf") == 1
    tokens = "cortexd_time_per_output_token_seconds"
    assert _value(metrics, f"{tokens}_count", worker="a") == 1
    assert _value(metrics, f"{tokens}_sum", worker="a") == pytest.approx(1.0 / 20)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_has_its_counter(metrics: Metrics, outcome: Outcome) -> None:
    """And no other moves."""
    metrics.observe(ended(outcome=outcome, first_token_s=None, worker=None))
    counted = {
        dict(labels)["outcome"]: value
        for (name, labels), value in _values(metrics).items()
        if name == "cortexd_requests_total" and dict(labels)["door"] == "openai"
    }
    assert counted == {each.value: float(each is outcome) for each in Outcome}
    ttft = "cortexd_time_to_first_token_seconds_count"
    assert _value(metrics, ttft, door="openai") == 0


def test_an_answer_of_another_says_nothing_of_the_worker(metrics: Metrics) -> None:
    """One out of the cache has no speed, and one that was resumed was so once, not for each."""
    for use in (CacheUse.HIT, CacheUse.STALE):
        metrics.observe(ended(cache=use, resumed=1))
    metrics.observe(ended(resumed=1))
    assert _value(metrics, "cortexd_resumed_streams_total", worker="a") == 1
    assert _value(metrics, "cortexd_time_per_output_token_seconds_count", worker="a") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"usage": None},
        {"usage": Usage(3, 1)},
        {"usage": Usage(3, 0)},
        {"outcome": Outcome.FAILED},
        {"first_token_s": None},
    ],
)
def test_no_speed_without_tokens(metrics: Metrics, changes: dict[str, object]) -> None:
    """One token has no time between tokens; neither has an answer that was broken off."""
    metrics.observe(ended(**changes))
    assert _value(metrics, "cortexd_time_per_output_token_seconds_count", worker="a") == 0


def test_attempts(metrics: Metrics) -> None:
    """Each counts under what became of it, with the tokens it has spent."""
    metrics.observe(attempted())
    for kind in FailureKind:
        metrics.observe(attempted(failure=kind, is_answered=False, first_token_s=None, usage=None))
    metrics.observe(attempted(is_answered=False, queued_s=3.0, usage=Usage(1, 2)))
    for result in ("answered", "abandoned", *(kind.name.lower() for kind in FailureKind)):
        assert _value(metrics, "cortexd_upstream_attempts_total", worker="a", result=result) == 1
    assert _value(metrics, "cortexd_input_tokens_total", worker="a") == 11
    assert _value(metrics, "cortexd_output_tokens_total", worker="a") == 23
    ttft = "cortexd_upstream_time_to_first_token_seconds_count"
    assert _value(metrics, ttft, worker="a") == 2
    # All but the one for whom there was no room in the queue.
    waits = "cortexd_queue_wait_seconds"
    assert _value(metrics, f"{waits}_count", worker="a") == len(FailureKind) + 1
    assert _value(metrics, f"{waits}_bucket", worker="a", le="2.5") == len(FailureKind)


def test_the_rest(metrics: Metrics) -> None:
    """Breakers, dead letters and credentials."""
    events: list[Event] = [
        BreakerChanged(
            worker=WorkerName("a"), before="closed", after="open", reason="?", open_s=30.0
        ),
        DeadLetterKept(
            dead_letter=DeadLetterId("d"), request_id=RequestId("r"), door="ollama", error="?"
        ),
        DeadLettersDropped(count=7),
    ]
    for event in events:
        metrics.observe(event)
    assert _value(metrics, "cortexd_breaker_changes_total", worker="a", state="open") == 1
    assert _value(metrics, "cortexd_dead_letters_total", door="ollama") == 1
    assert _value(metrics, "cortexd_dead_letters_dropped_total") == 7


def test_a_worker_comes_and_goes(metrics: Metrics) -> None:
    """Its series go with it; what it still answers counts as `other`."""
    name = WorkerName("new")
    metrics.observe(WorkerRegistered(worker=name))
    metrics.observe(attempted(worker=name))
    assert _value(metrics, "cortexd_output_tokens_total", worker="new") == 21
    metrics.observe(WorkerUnregistered(worker=name))
    metrics.observe(attempted(worker=name))
    assert not [key for key in _values(metrics) if ("worker", "new") in key[1]]
    assert _value(metrics, "cortexd_output_tokens_total", worker="other") == 21


def test_nobody_can_make_series(metrics: Metrics) -> None:
    """Two thousand models, workers and doors that nobody knows share what is called `other`."""
    chance = random.Random(6)  # noqa: S311  hostile, but reproducible
    metrics.observe(ended(door="?", worker=WorkerName("?")))
    metrics.observe(attempted(worker=WorkerName("?")))
    metrics.observe(_rejected("?"))
    before = _values(metrics).keys()
    for _ in range(NAMES_MAX):
        name = "".join(chance.choices('ab"\\\n{},=é\u202e\x00 ', k=chance.randint(1, 40)))
        metrics.observe(ended(model=name, door=f"/v1/{name}", worker=WorkerName(name)))
        metrics.observe(ended(model=name))
        metrics.observe(attempted(worker=WorkerName(name)))
        metrics.observe(_rejected(name))
    assert _values(metrics).keys() == before
    served = _value(metrics, "cortexd_requests_total", door="other", outcome="served")
    assert served == NAMES_MAX + 1


def test_no_more_workers_than_there_is_room_for(metrics: Metrics) -> None:
    """Even an operator has no more than so many series."""
    for number in range(NAMES_MAX):
        metrics.observe(WorkerRegistered(worker=WorkerName(f"w{number}")))
    workers = {dict(labels).get("worker") for _, labels in _values(metrics)}
    assert len(workers - {None}) <= WORKERS_MAX


def _rejected(listener: str) -> CredentialRejected:
    return CredentialRejected(
        request_id=RequestId("r-1"),
        listener=listener,
        client="::1",
        reason="?",
        key_id=None,
        retry_after_s=None,
    )


def _lint(families: list[Family]) -> None:
    """What https://prometheus.io/docs/practices/naming/ asks for, and that nothing comes twice."""
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    series = [
        (sample.name, frozenset(sample.labels.items()))
        for family in families
        for sample in family.samples
    ]
    assert len(series) == len(set(series))
    for family in families:
        assert family.name.startswith("cortexd_"), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_bytes")), family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") is (family.type == "counter"), sample.name


def test_the_text_is_what_prometheus_reads(metrics: Metrics) -> None:
    """All that the catalogue has is there, in both formats, and says the same."""
    metrics.observe(ended())
    metrics.observe(attempted())
    plain = list(plain_families(_text(metrics)))
    text = _text(metrics, accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert text.endswith("# EOF\n")
    assert text.count("# EOF") == 1
    opened = list(open_families(text))  # type: ignore[no-untyped-call]
    _lint(plain)
    _lint(opened)
    for families in (plain, opened):
        names = {family.name for family in families if "_process_" not in family.name}
        assert names == {metric.base_name for metric in (*OBSERVED, *READ)}
    assert _series(plain) == _series(opened)
    units = {family.name: family.unit for family in opened}
    assert units["cortexd_request_duration_seconds"] == "seconds"
    assert units["cortexd_cache_bytes"] == "bytes"


def _series(families: list[Family]) -> dict[object, float]:
    """But for what moves by itself."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if "_process_" not in sample.name
    }


def test_hostile_labels_are_escaped(metrics: Metrics) -> None:
    """Whatever an operator calls a worker, the text stays one that can be read."""
    name = 'a"b\\c\nd{e="f"} 1\u2028'
    readings: dict[Metric, list[tuple[tuple[str, ...], float]]] = {
        WORKER_STATUS: [((name, "available"), 1.0)]
    }
    (family,) = [
        family
        for family in plain_families(_text(metrics, readings))
        if family.name == WORKER_STATUS.name
    ]
    assert [sample.labels["worker"] for sample in family.samples] == [name]


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "text/plain;version=x;escaping=\r\n", "\x00", "a" * 9000]
)
def test_any_accept_has_an_answer(metrics: Metrics, accept: str) -> None:
    """The plain format is for everybody who does not ask for the other one."""
    content_type, parts = Exposition(metrics, dict).expose(accept)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert b"cortexd_requests_total" in b"".join(parts)


def test_no_part_of_the_text_is_long() -> None:
    """With many workers it comes in many parts, so that a scrape holds up nobody."""
    names = [WorkerName(f"w{number}") for number in range(50)]
    metrics = Metrics(names)
    for name in names:
        metrics.observe(attempted(worker=name))
    _, parts = Exposition(metrics, dict).expose("")
    assert max(part.count(b"\n") for part in parts) <= 200


def test_a_sink_that_fails_is_no_matter(metrics: Metrics) -> None:
    """Neither to who emits nor to the other sinks."""

    def failing(event: Event) -> None:
        raise RuntimeError(str(event))

    emit = EventSinks((failing, metrics.observe)).emit
    for _ in range(3):
        emit(ended())
    assert _value(metrics, "cortexd_requests_total", door="openai", outcome="served") == 3


def test_the_catalogue() -> None:
    """Counters end in `_total` and nothing else does; a name stands for one thing."""
    metrics = (*OBSERVED, *READ)
    assert len({metric.base_name for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert metric.name.endswith("_total") is (metric.kind.value == "counter"), metric
        assert bool(metric.buckets) is (metric.kind.value == "histogram"), metric
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric
        assert attrs.asdict(metric)["meaning"].endswith("."), metric
