"""A node's report as it is kept in Redis: JSON, written by any node and believed by none unchecked.

Rules of this file: everything has a bound, and what has none, or the wrong type, makes the report
none at all. A kind of alert that is not known here comes from a newer node and is passed over.
"""

from typing import Annotated, Final

import attrs
import msgspec
from msgspec import Meta, Struct

from cortexd.domain.alert import Condition, Rule, Severity
from cortexd.domain.cluster import Identity, NodeReport, Verdict, WorkerReport
from cortexd.domain.ids import WorkerName

REPORT_BYTES_MAX: Final = 64 * 1024
"""Longer ones are cut: first what was found by probing, then workers."""

WORKERS_MAX: Final = 1000
MODELS_MAX: Final = 1000
CONDITIONS_MAX: Final = 200
_TEXT_CHARACTERS_MAX: Final = 500

_Word = Annotated[str, Meta(max_length=64)]
_Text = Annotated[str, Meta(max_length=_TEXT_CHARACTERS_MAX)]
_Count = Annotated[int, Meta(ge=0, le=10**9)]
_Amount = Annotated[float, Meta(ge=0, le=1e18)]


class _Verdict(Struct, omit_defaults=True):
    is_good: bool
    models: Annotated[tuple[_Text, ...], Meta(max_length=MODELS_MAX)] = ()
    age_s: _Amount = 0.0


class _Worker(Struct, omit_defaults=True):
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    type: _Word
    is_active: bool
    state: _Word
    breaker: _Word
    is_owned: bool = False
    identity: _Word = ""
    is_preferred: bool = False
    since: _Amount | None = None
    verdict: _Verdict | None = None


class _Condition(Struct, omit_defaults=True):
    rule: _Word
    severity: _Word
    message: _Text
    target: _Text = ""


class _Report(Struct, omit_defaults=True):
    address: _Text | None = None
    version: _Word = ""
    in_flight: _Count = 0
    requests_per_second: _Amount = 0.0
    status: _Word = ""
    degradation_level: _Word = ""
    workers: Annotated[tuple[_Worker, ...], Meta(max_length=WORKERS_MAX)] = ()
    conditions: Annotated[tuple[_Condition, ...], Meta(max_length=CONDITIONS_MAX)] = ()


class ReportRejected(ValueError):
    """What is there is no report."""


_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder(_Report).decode


def write_report(report: NodeReport) -> bytes:
    """The report, as much of it as there is room for."""
    whole = _Report(
        address=report.address and report.address[:_TEXT_CHARACTERS_MAX],
        version=report.version[:64],
        in_flight=report.in_flight,
        requests_per_second=report.requests_per_second,
        status=report.status,
        degradation_level=report.degradation_level,
        workers=tuple(map(_worker, report.workers[:WORKERS_MAX])),
        conditions=tuple(map(_condition, report.conditions[:CONDITIONS_MAX])),
    )
    data = _encode(whole)
    if len(data) > REPORT_BYTES_MAX:
        for worker in whole.workers:
            worker.verdict = None
        data = _encode(whole)
    while len(data) > REPORT_BYTES_MAX:
        whole.workers = whole.workers[: len(whole.workers) // 2]
        whole.conditions = whole.conditions[: len(whole.conditions) // 2]
        data = _encode(whole)
    return data


def read_report(data: bytes) -> NodeReport:
    """The report that a node has written. Errors: `ReportRejected`."""
    if len(data) > REPORT_BYTES_MAX:
        raise ReportRejected(f"{len(data)} bytes, more than {REPORT_BYTES_MAX}")
    try:
        found = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReportRejected(str(error)) from None
    return NodeReport(
        address=found.address,
        version=found.version,
        in_flight=found.in_flight,
        requests_per_second=found.requests_per_second,
        status=found.status,
        degradation_level=found.degradation_level,
        workers=tuple(map(_read_worker, found.workers)),
        conditions=tuple(
            Condition(
                rule=Rule(each.rule),
                target=each.target,
                severity=Severity(each.severity),
                message=each.message,
            )
            for each in found.conditions
            if each.rule in _RULES and each.severity in _SEVERITIES
        ),
    )


_RULES: Final = frozenset(rule.value for rule in Rule)
_SEVERITIES: Final = frozenset(severity.value for severity in Severity)


def _worker(report: WorkerReport) -> _Worker:
    fields = attrs.asdict(report, recurse=False)
    verdict = report.verdict
    if verdict is not None:
        models = tuple(model for model in verdict.models if len(model) <= _TEXT_CHARACTERS_MAX)
        fields["verdict"] = _Verdict(verdict.is_good, models[:MODELS_MAX], verdict.age_s)
    return _Worker(**fields)


def _condition(condition: Condition) -> _Condition:
    return _Condition(
        condition.rule.value,
        condition.severity.value,
        condition.message[:_TEXT_CHARACTERS_MAX],
        condition.target[:_TEXT_CHARACTERS_MAX],
    )


def _read_worker(found: _Worker) -> WorkerReport:
    verdict = found.verdict
    return WorkerReport(
        name=WorkerName(found.name),
        type=found.type,
        is_active=found.is_active,
        state=found.state,
        breaker=found.breaker,
        is_owned=found.is_owned,
        identity=Identity(found.identity),
        is_preferred=found.is_preferred,
        since=found.since,
        verdict=None
        if verdict is None
        else Verdict(is_good=verdict.is_good, models=verdict.models, age_s=verdict.age_s),
    )
