"""The metrics as a sink of events.

There is no label that a client can choose: doors, outcomes and kinds of failure are ours, workers
are those of the operator, and whoever is not known counts as `other`.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import attrs

from cortexd.domain.events import (
    AttemptEnded,
    BreakerChanged,
    CredentialRejected,
    DeadLetterKept,
    DeadLettersDropped,
    Event,
    ExchangeEnded,
    WorkerRegistered,
    WorkerUnregistered,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.fleet_events import AgentLost, FleetCommandDone, FleetMessageRejected
from cortexd.domain.ids import WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.observability import metric_catalog as catalog
from cortexd.observability.metric_catalog import OTHER, Metric
from cortexd.observability.tallies import Count, Spread, Tallies

DOORS: Final = ("openai", "ollama", "anthropic")

LISTENERS: Final = ("data", "admin")

WORKERS_MAX: Final = 256
"""Workers that get series of their own; the rest are `other`."""

ANSWERED: Final = "answered"
ABANDONED: Final = "abandoned"


@attrs.frozen(eq=False)
class _Door:
    """The tallies of one door."""

    outcomes: Mapping[Outcome, Count]
    duration: Spread
    ttft: Spread
    overhead: Spread


@attrs.frozen(eq=False)
class _Worker:
    """The tallies of one worker. What became of its attempts is shown once it has happened."""

    name: str
    answered: Count
    ttft: Spread
    queue_wait: Spread
    time_per_token: Spread
    input_tokens: Count
    output_tokens: Count
    resumed: Count


class Metrics:
    """Counts what happens. `workers`: those there are from the start."""

    def __init__(self, workers: Iterable[WorkerName] = ()) -> None:
        self.counts: dict[Metric, Tallies[Count]] = {}
        self.spreads: dict[Metric, Tallies[Spread]] = {}
        for metric in catalog.OBSERVED:
            if metric.kind is catalog.Kind.COUNTER:
                self.counts[metric] = Tallies(metric, Count)
            else:
                self.spreads[metric] = Tallies(metric, partial(Spread, metric.buckets))
        self._doors = {door: self._door(door) for door in DOORS}
        for door in DOORS:
            self.counts[catalog.DEAD_LETTERS].of(door)
        for listener in LISTENERS:
            self.counts[catalog.CREDENTIALS_REJECTED].of(listener)
        self.counts[catalog.DEAD_LETTERS_DROPPED].of()
        self._workers: dict[str, _Worker] = {}
        for worker in workers:
            self._register(worker)

    def observe(self, event: Event) -> None:
        """Count an event. Never waits."""
        match event:
            case ExchangeEnded():
                self._exchange_ended(event)
            case AttemptEnded():
                self._attempt_ended(event)
            case BreakerChanged():
                worker = self._worker(event.worker).name
                self.counts[catalog.BREAKER_CHANGES].of(worker, event.after).add()
            case DeadLetterKept():
                door = event.door if event.door in DOORS else OTHER
                self.counts[catalog.DEAD_LETTERS].of(door).add()
            case DeadLettersDropped():
                self.counts[catalog.DEAD_LETTERS_DROPPED].of().add(event.count)
            case CredentialRejected():
                listener = event.listener if event.listener in LISTENERS else OTHER
                self.counts[catalog.CREDENTIALS_REJECTED].of(listener).add()
            case FleetCommandDone() | FleetMessageRejected() | AgentLost():
                self._fleet_event(event)
            case WorkerRegistered():
                self._register(event.worker)
            case WorkerUnregistered():
                self._forget(event.worker)
            case _:
                pass

    def _exchange_ended(self, event: ExchangeEnded) -> None:
        door = self._doors.get(event.door) or self._other_door()
        door.outcomes[event.outcome].add()
        door.duration.add(event.duration_s)
        if event.first_token_s is not None:
            door.ttft.add(event.first_token_s)
        if event.overhead_s is not None:
            door.overhead.add(event.overhead_s)
        # Who was answered out of another's answer says nothing about the worker.
        if event.worker is None or event.cache.is_anothers:
            return
        worker = self._worker(event.worker)
        if event.resumed:
            worker.resumed.add(event.resumed)
        tokens = 0 if event.usage is None else event.usage.output_tokens
        if event.outcome is Outcome.SERVED and event.first_token_s is not None and tokens > 1:
            worker.time_per_token.add((event.duration_s - event.first_token_s) / (tokens - 1))

    def _attempt_ended(self, event: AttemptEnded) -> None:
        worker = self._worker(event.worker)
        if event.is_answered and event.failure is None:
            worker.answered.add()
        else:
            result = ABANDONED if event.failure is None else event.failure.name.lower()
            self.counts[catalog.ATTEMPTS].of(worker.name, result).add()
        if event.failure is not FailureKind.BUSY:
            worker.queue_wait.add(event.queued_s)
        if event.first_token_s is not None:
            worker.ttft.add(event.first_token_s)
        if event.usage is not None:
            worker.input_tokens.add(event.usage.input_tokens)
            worker.output_tokens.add(event.usage.output_tokens)

    def _fleet_event(self, event: FleetCommandDone | FleetMessageRejected | AgentLost) -> None:
        if isinstance(event, FleetMessageRejected):
            self.counts[catalog.FLEET_REJECTED].of().add()
        elif isinstance(event, AgentLost):
            self.counts[catalog.FLEET_AGENTS_LOST].of().add()
        else:
            result = "unanswered"
            if event.response_s is not None:
                result = "done" if event.problem is None else "refused"
                self.spreads[catalog.FLEET_COMMAND_DURATION].of(event.command).add(event.response_s)
            self.counts[catalog.FLEET_COMMANDS].of(event.command, result).add()

    def _other_door(self) -> _Door:
        if OTHER not in self._doors:
            self._doors[OTHER] = self._door(OTHER)
        return self._doors[OTHER]

    def _worker(self, name: str) -> _Worker:
        return self._workers.get(name) or self._other_worker()

    def _other_worker(self) -> _Worker:
        if OTHER not in self._workers:
            self._workers[OTHER] = self._new_worker(OTHER)
        return self._workers[OTHER]

    def _register(self, name: str) -> None:
        if name not in self._workers and len(self._workers) < WORKERS_MAX:
            self._workers[name] = self._new_worker(name)

    def _forget(self, name: str) -> None:
        """Drop the series of a worker that has left; what it still answers is `other`."""
        if self._workers.pop(name, None) is not None:
            for metric in catalog.OBSERVED:
                if metric.labels[:1] == ("worker",):
                    tallies = self.counts.get(metric) or self.spreads[metric]
                    tallies.forget(name)

    def _door(self, name: str) -> _Door:
        requests = self.counts[catalog.REQUESTS]
        return _Door(
            outcomes={outcome: requests.of(name, outcome.value) for outcome in Outcome},
            duration=self.spreads[catalog.REQUEST_DURATION].of(name),
            ttft=self.spreads[catalog.TTFT].of(name),
            overhead=self.spreads[catalog.OVERHEAD].of(name),
        )

    def _new_worker(self, name: str) -> _Worker:
        return _Worker(
            name,
            answered=self.counts[catalog.ATTEMPTS].of(name, ANSWERED),
            ttft=self.spreads[catalog.UPSTREAM_TTFT].of(name),
            queue_wait=self.spreads[catalog.QUEUE_WAIT].of(name),
            time_per_token=self.spreads[catalog.TIME_PER_TOKEN].of(name),
            input_tokens=self.counts[catalog.INPUT_TOKENS].of(name),
            output_tokens=self.counts[catalog.OUTPUT_TOKENS].of(name),
            resumed=self.counts[catalog.RESUMED].of(name),
        )
