"""What is wrong with the node and needs a person: the rules of the alerts.

Rules of this file: a reading that is `None` is not known, and nothing is wrong with it. A message
has names, numbers and what to do in it, never what a client or an upstream has sent.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from cortexd.domain.alert import Condition, Rule, Severity
from cortexd.domain.ids import KeyIndex
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.health import WorkerState
from cortexd.policy.key_health import KeyState

EXCHANGES_MIN: Final = 10
"""Of fewer exchanges than these, neither the share that failed nor a percentile says anything."""

_MIB: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class WorkerReading:
    """One worker. `is_untrusted`: it is out because TLS found fault with its certificate."""

    name: str
    is_active: bool = True
    state: WorkerState = WorkerState.AVAILABLE
    is_untrusted: bool = False
    breaker: BreakerState = BreakerState.CLOSED
    keys: Mapping[KeyIndex, KeyState] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class TrafficReading:
    """The exchanges of the last minute or so. `failed`: those that are the node's own failures.

    `ttft_s_p95`: the time to the first token that 95 % stayed below; `None` if nobody got one.
    """

    exchanges: int
    failed: int
    ttft_s_p95: float | None = None


@attrs.frozen(kw_only=True)
class FleetReading:
    """The line to the broker of the fleet. `failure`: why it is down; `None` where it is up."""

    failure: str | None
    is_blocked: bool = False


@attrs.frozen(kw_only=True)
class NodeReadings:
    """How the node stands at one moment.

    `restarts`: of each child that was restarted in the last minute, how often. `troubles`: what is
    wrong with each database in trouble. `cluster_trouble`: with what the node shares with others,
    if that has been so for a lease.
    """

    workers: tuple[WorkerReading, ...] = ()
    traffic: TrafficReading | None = None
    dead_letters: int | None = None
    memory_bytes: int | None = None
    restarts: Mapping[str, int] = attrs.Factory(dict)
    troubles: Mapping[str, str] = attrs.Factory(dict)
    level: DegradationLevel | None = None
    level_is_forced: bool = False
    cluster_trouble: str | None = None
    fleet: FleetReading | None = None


def conditions(readings: NodeReadings, settings: AlertSettings) -> tuple[Condition, ...]:
    """All that is wrong now; of each rule and target once at most."""
    # Whoever has deactivated a worker knows what is wrong with it.
    active = tuple(worker for worker in readings.workers if worker.is_active)
    return (
        *_few_workers(readings.workers),
        *_breakers(active),
        *_untrusted(active),
        *_keys(active),
        *_traffic(readings.traffic, settings),
        *_node(readings, settings),
        *_restarts(readings.restarts, settings),
        *_storage(readings.troubles),
        *_cluster(readings.cluster_trouble),
        *_degradation(readings),
        *_fleet(readings.fleet),
    )


def _few_workers(workers: tuple[WorkerReading, ...]) -> Iterator[Condition]:
    # One that has not been checked yet has the benefit of the doubt.
    available = sum(worker.state is not WorkerState.UNAVAILABLE for worker in workers)
    if not workers:
        yield Condition(
            rule=Rule.NO_AVAILABLE_WORKERS,
            severity=Severity.CRITICAL,
            message="there are no workers, so no chat can be answered: add one to the"
            " configuration, or with `cortexctl workers add`",
        )
    elif available == 0:
        yield Condition(
            rule=Rule.NO_AVAILABLE_WORKERS,
            severity=Severity.CRITICAL,
            message=f"none of {len(workers)} workers is available, so no chat can be answered:"
            " `cortexctl workers list` says why; start one of their servers, or activate one",
        )
    elif available * 2 < len(workers):
        yield Condition(
            rule=Rule.FEW_AVAILABLE_WORKERS,
            severity=Severity.WARNING,
            message=f"only {available} of {len(workers)} workers are available:"
            " `cortexctl workers list` says why the others are not",
        )


def _breakers(workers: tuple[WorkerReading, ...]) -> Iterator[Condition]:
    # A half-open one has not proved anything yet: it stays what it was to whoever watches.
    open_ones = [worker for worker in workers if worker.breaker is not BreakerState.CLOSED]
    all_open = len(open_ones) == len(workers)
    for worker in open_ones:
        rest = ", as are all the others" if all_open and len(workers) > 1 else ""
        yield Condition(
            rule=Rule.BREAKER_OPEN,
            target=worker.name,
            severity=Severity.CRITICAL if all_open else Severity.WARNING,
            message=f"worker {worker.name} keeps failing, so its circuit breaker is open{rest}:"
            f" see to its server; `cortexctl breakers list` says what failed, and"
            f" `cortexctl breakers reset {worker.name}` closes it at once",
        )


def _untrusted(workers: tuple[WorkerReading, ...]) -> Iterator[Condition]:
    for worker in workers:
        if worker.is_untrusted:
            yield Condition(
                rule=Rule.UNTRUSTED_WORKER,
                target=worker.name,
                severity=Severity.WARNING,
                message=f"worker {worker.name} cannot be trusted, as its TLS certificate is"
                " refused, so nothing is sent to it: renew the certificate, or correct the host"
                " name in its base_url",
            )


_KEY_TROUBLES: Final = {
    KeyState.REJECTED: "is rejected by its provider: replace it where the configuration points to",
    KeyState.EXHAUSTED: "is out of quota: raise its limit at the provider, or add another key",
}


def _keys(workers: tuple[WorkerReading, ...]) -> Iterator[Condition]:
    for worker in workers:
        for index, state in worker.keys.items():
            if trouble := _KEY_TROUBLES.get(state):
                yield Condition(
                    rule=Rule.KEY_OFF,
                    target=f"{worker.name}/{index}",
                    severity=Severity.WARNING,
                    message=f"API key {index} of worker {worker.name} (the first is 0) {trouble}",
                )


def _traffic(traffic: TrafficReading | None, settings: AlertSettings) -> Iterator[Condition]:
    if traffic is None or traffic.exchanges < EXCHANGES_MIN:
        return
    rate = traffic.failed / traffic.exchanges
    if rate > settings.error_rate_max:
        yield Condition(
            rule=Rule.ERROR_RATE,
            severity=Severity.WARNING,
            message=f"{rate:.0%} of {traffic.exchanges} requests failed lately, more than"
            f" {settings.error_rate_max:.0%}: see the recent requests on the dashboard",
        )
    if traffic.ttft_s_p95 is not None and traffic.ttft_s_p95 > settings.ttft_seconds_max:
        yield Condition(
            rule=Rule.SLOW_TTFT,
            severity=Severity.WARNING,
            message=f"one request in twenty waits {traffic.ttft_s_p95:.1f} s or longer for its"
            f" first token, more than {settings.ttft_seconds_max:g} s: the workers have too much to"
            " do; add one, or let each have less at once (max_concurrency)",
        )


def _node(readings: NodeReadings, settings: AlertSettings) -> Iterator[Condition]:
    letters, memory = readings.dead_letters, readings.memory_bytes
    if letters is not None and letters > settings.dead_letters_max:
        yield Condition(
            rule=Rule.DEAD_LETTERS,
            severity=Severity.WARNING,
            message=f"{letters} dead letters are kept, more than {settings.dead_letters_max}:"
            " `cortexctl dlq list` says what failed; retry or purge them",
        )
    if memory is not None and memory > settings.memory_bytes_max:
        yield Condition(
            rule=Rule.HIGH_MEMORY,
            severity=Severity.WARNING,
            message=f"the node uses {memory / _MIB:.0f} MiB of memory, more than"
            f" {settings.memory_bytes_max / _MIB:.0f} MiB: lower cache.max_bytes or"
            " data.max_connections, or give it more",
        )


def _restarts(restarts: Mapping[str, int], settings: AlertSettings) -> Iterator[Condition]:
    for path, times in restarts.items():
        if times >= settings.restarts_max:
            yield Condition(
                rule=Rule.RESTARTS,
                target=path,
                severity=Severity.WARNING,
                message=f"{path} was restarted {times} times within a minute: `cortexctl tree` and"
                " the log say why",
            )


def _storage(troubles: Mapping[str, str]) -> Iterator[Condition]:
    for database, trouble in troubles.items():
        yield Condition(
            rule=Rule.STORAGE,
            target=database,
            severity=Severity.WARNING,
            message=f"the database {database} is in trouble: {trouble}; chats go on without it",
        )


def _cluster(trouble: str | None) -> Iterator[Condition]:
    if trouble is not None:
        yield Condition(
            rule=Rule.CLUSTER_LOST,
            severity=Severity.WARNING,
            message=f"the node is in trouble with Redis, where it meets its cluster: {trouble};"
            " chats go on without it: see to Redis, or to the network on the way",
        )


_LOW_LEVELS: Final = {DegradationLevel.CRITICAL, DegradationLevel.EMERGENCY}


def _degradation(readings: NodeReadings) -> Iterator[Condition]:
    level = readings.level
    if level in _LOW_LEVELS:
        yield Condition(
            rule=Rule.DEGRADED,
            severity=Severity.WARNING,
            message=f"the node has gone down to the level {level.value} and turns requests away:"
            " `cortexctl degradation show` says why",
        )
    elif readings.level_is_forced and level is not None:
        yield Condition(
            rule=Rule.DEGRADED,
            severity=Severity.INFO,
            message=f"the degradation level is held at {level.value} by an operator:"
            " `cortexctl degradation auto` lets it follow the workers again",
        )


def _fleet(fleet: FleetReading | None) -> Iterator[Condition]:
    if fleet is None:
        return
    trouble = "takes nothing, for want of memory or disk" if fleet.is_blocked else fleet.failure
    if trouble:
        yield Condition(
            rule=Rule.FLEET_LOST,
            severity=Severity.WARNING,
            message=f"the fleet cannot be commanded over its broker: {trouble}; chats go on, but"
            " nobody sees which agents are there: see to RabbitMQ, or to fleet.amqp_url",
        )
