"""Layer 9: the next worker, or the next key, or the same worker after a while, when one fails.

As long as the client has seen nothing, that is as if nothing had happened; once it has, another
worker carries the answer on where it broke off, if it is of the kind that can be.

Why here: the only place where a request is tried again, so that attempts never multiply.
"""

import random
from collections.abc import Collection

import trio

from cortexd.actors.circuit_breakers import breaker_changed
from cortexd.domain.attempt import Attempt, Skipped
from cortexd.domain.errors import CortexError, NoWorkerAvailable, WorkerFailed
from cortexd.domain.events import AttemptEnded, Emit, KeyChanged
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import KeyIndex, WorkerName
from cortexd.domain.secret import Secret
from cortexd.pipeline.exchange import ChatService, Choice, Exchange
from cortexd.pipeline.relay import Relay
from cortexd.policy.circuit_breaker import BreakerChange, CircuitBreaker, Permit
from cortexd.policy.failover import Ask, GiveUp, Itinerary, Pause, Prospect
from cortexd.policy.key_health import GATE_S_MAX, KeyChange, KeyRing
from cortexd.policy.retry_budget import RetrySettings
from cortexd.policy.standing import Standing
from cortexd.wire.client_words import client_words

RATE_LIMIT_S_DEFAULT = 2.0
"""How long a key rests whose provider says that it is limited, but not for how long."""


class FailoverLayer:
    """Walks the choices, and keeps the accounts of those it asks."""

    def __init__(
        self, inner: ChatService, *, settings: RetrySettings, chance: random.Random, emit: Emit
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._chance = chance
        self._emit = emit

    async def __call__(self, exchange: Exchange) -> None:
        """Carry the answer of some choice to the client, or of several one after the other.

        Errors: the `WorkerFailed` that says most, where none could; `NoWorkerAvailable` where none
        could even be asked.
        """
        client = exchange.downstream
        exchange.downstream = relay = Relay(client, exchange.request)
        try:
            await self._walk(exchange, relay)
        finally:
            exchange.downstream = client

    async def _walk(self, exchange: Exchange, relay: Relay) -> None:
        choices = exchange.trail.choices
        itinerary = Itinerary(
            [_prospect(choice) for choice in choices], self._settings, chance=self._chance
        )
        failures: list[WorkerFailed] = []

        def can_resume(place: int) -> bool:
            return choices[place].worker.info.resumes

        while True:
            step = itinerary.next(
                trio.current_time(),
                deadline=trio.current_effective_deadline(),
                can_serve=can_resume if relay.resumed_from else None,
            )
            match step:
                case Pause(until):
                    await trio.sleep_until(until)
                case GiveUp():
                    raise _most_telling(failures)
                case Ask(place, key):
                    failure = await self._attempt(exchange, choices[place], key, relay)
                    if failure is None:
                        return
                    failures.append(failure)
                    itinerary.failed(step, failure, trio.current_time())
                    self._go_on_or_raise(exchange, relay, failure)

    def _go_on_or_raise(self, exchange: Exchange, relay: Relay, failure: WorkerFailed) -> None:
        """Settle from where the next worker is to go on: the beginning, or where this one stopped.

        Errors: `failure`, where the client has seen something that nobody can carry on.
        """
        if relay.start_over():
            exchange.first_sent_at = None
        elif failure.kind is FailureKind.BUSY:
            pass  # Nothing has been added to what was there.
        elif relay.resumable and failure.kind.value.next_worker:
            exchange.upstream_request = relay.resume(failure.worker)
            exchange.trail.resumed_from = relay.resumed_from
        else:
            raise failure

    async def _attempt(
        self, exchange: Exchange, choice: Choice, key: KeyIndex, relay: Relay
    ) -> WorkerFailed | None:
        """One attempt, and what it means for the accounts of its worker; why it failed, if so."""
        worker, trail = choice.worker, exchange.trail
        traffic = worker.traffic
        began_at = trio.current_time()
        attempt = Attempt(worker.name, choice.model, key, began_at)
        trail.attempts.append(attempt)
        trail.worker, trail.model = worker.name, choice.model
        exchange.choice, exchange.key = choice, key
        permit = traffic.breaker.begin(began_at)
        self._tell(worker.name, permit.change)
        try:
            await self._inner(exchange)
        except WorkerFailed as failure:
            attempt.failure = _presentable(failure, exchange, worker.settings.api_keys)
        else:
            attempt.is_answered = attempt.first_token_s is not None
        finally:
            now = trio.current_time()
            if attempt.failure is not None and attempt.failure.kind is FailureKind.BUSY:
                trail.attempts.pop()
                trail.skipped = (*trail.skipped, Skipped(worker.name, "busy"))
            else:
                if all(earlier.worker != worker.name for earlier in trail.attempts[:-1]):
                    traffic.budget.deposit(now)
                if attempt.first_token_s is not None:
                    attempt.usage, attempt.usage_is_estimate = relay.take_usage()
            self._emit(_ended(attempt, now))
            if attempt.is_answered or attempt.failure is not None:
                _book(traffic.standing, attempt, now)
                self._tell(worker.name, _judge(traffic.breaker, permit, attempt, now))
                self._tell(worker.name, _judge_key(traffic.keys, attempt, now))
            else:
                # A client that leaves says nothing about the worker, nor does a request that asked
                # for nothing but the model to be there.
                traffic.breaker.abandoned(permit, now)
        return attempt.failure

    def _tell(self, worker: WorkerName, change: BreakerChange | KeyChange | None) -> None:
        match change:
            case BreakerChange():
                self._emit(breaker_changed(worker, change))
            case KeyChange():
                self._emit(
                    KeyChanged(
                        worker=worker,
                        key=change.key,
                        state=change.state.value,
                        rest_s=change.rest_s,
                    )
                )


def _presentable(
    failure: WorkerFailed, exchange: Exchange, keys: Collection[Secret]
) -> WorkerFailed:
    """The failure without what it quotes of the key and the request: logs are to show neither."""
    if failure.kind is FailureKind.BUSY:
        # Our own words, and there may be many of them at a time.
        return failure
    original = exchange.original
    words = "" if original is None else client_words(original.body)
    return failure.without(keys).without_words_of(words)


def _prospect(choice: Choice) -> Prospect:
    return Prospect(choice.worker.traffic, choice.forced, choice.worker.info.context_tokens)


def _ended(attempt: Attempt, now: float) -> AttemptEnded:
    failure = attempt.failure
    return AttemptEnded(
        worker=attempt.worker,
        failure=None if failure is None else failure.kind,
        is_answered=attempt.is_answered,
        queued_s=attempt.queued_s,
        first_token_s=attempt.first_token_s,
        duration_s=now - attempt.began_at,
        usage=attempt.usage,
    )


def _book(standing: Standing, attempt: Attempt, now: float) -> None:
    if attempt.failure is None:
        standing.answered(now)
    else:
        standing.failed(now, attempt.failure.kind)


def _judge(
    breaker: CircuitBreaker, permit: Permit, attempt: Attempt, now: float
) -> BreakerChange | None:
    failure = attempt.failure
    if failure is None:
        return breaker.succeeded(permit, now, duration_s=attempt.first_token_s)
    if failure.kind.value.blames_worker:
        return breaker.failed(permit, now, f"{failure.kind.value.words}: {failure.detail}")
    breaker.abandoned(permit, now)
    return None


def _judge_key(keys: KeyRing, attempt: Attempt, now: float) -> KeyChange | None:
    failure = attempt.failure
    if failure is None:
        return keys.accepted(attempt.key, now)
    wait_s = failure.retry_after_s
    match failure.kind:
        case FailureKind.BAD_KEY:
            return keys.rejected(attempt.key, now)
        case FailureKind.QUOTA_EXHAUSTED if wait_s is None or wait_s > GATE_S_MAX:
            return keys.exhausted(attempt.key, now, wait_s)
        case FailureKind.RATE_LIMITED if wait_s is None:
            keys.limited(attempt.key, now, RATE_LIMIT_S_DEFAULT)
        # A quota may be by the day and yet be refilled by the second.
        case FailureKind.RATE_LIMITED | FailureKind.OVERLOADED | FailureKind.QUOTA_EXHAUSTED if (
            wait_s is not None
        ):
            keys.limited(attempt.key, now, wait_s)
    return None


def _most_telling(failures: list[WorkerFailed]) -> CortexError:
    """What a worker says of the request itself, before what happened last."""
    for failure in failures:
        if failure.kind is FailureKind.REFUSED:
            return failure
    if failures:
        return failures[-1]
    return NoWorkerAvailable(
        "those that could serve this have just failed; try again after the time in retry-after",
        retry_after_s=RATE_LIMIT_S_DEFAULT,
    )
