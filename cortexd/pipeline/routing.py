"""Layer 8: the model's name becomes an ordered list of workers to try.

Why here: outside failover, because which workers could serve is settled before the first of them is
asked; inside caching, which needs no worker at all.
"""

import random
from collections.abc import Collection, Mapping
from itertools import count
from typing import Final

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.attempt import Skipped
from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import RequestRefused
from cortexd.domain.ids import WorkerName
from cortexd.domain.request import ModelRequest
from cortexd.domain.worker import WorkerStatus
from cortexd.pipeline.exchange import ChatService, Choice, Exchange
from cortexd.policy.capabilities import Tiers, able
from cortexd.policy.degradation import Strategy
from cortexd.policy.load_balancing import Load, order
from cortexd.policy.obstacles import Obstacle, out_of_reach
from cortexd.policy.routing import ANY_MODEL, Serves, resolve
from cortexd.policy.token_estimate import estimate_input_tokens

_MODELS_NAMED_MAX: Final = 10

FORCED_EVERY: Final = 10
"""Where the circuit breakers of all workers are open, one request in so many goes through."""


@attrs.frozen(kw_only=True)
class RoutingParts:
    """What routing reads.

    `retry_after_s`: told where nobody knows when a worker will be back. `strain_max`: a worker of
    whose recent calls a greater share failed is asked after the others.
    """

    view: Published[PoolView]
    aliases: Mapping[str, tuple[str, ...]]
    retry_after_s: float
    strain_max: float
    chance: random.Random


class RoutingLayer:
    """Reads what the pool has published; never asks an actor."""

    def __init__(self, inner: ChatService, parts: RoutingParts) -> None:
        self._inner = inner
        self._parts = parts
        self._turns = count()
        self._refusals = count()
        self._directory = _Directory(parts.view.value)

    async def __call__(self, exchange: Exchange) -> None:
        """Route the exchange. Raises `RequestRefused` (404) or `NoWorkerAvailable`."""
        self._choose(exchange)
        await self._inner(exchange)

    def _choose(self, exchange: Exchange) -> None:
        directory, request, trail = self._directory, exchange.request, exchange.trail
        if directory.view is not self._parts.view.value:
            directory = self._directory = _Directory(self._parts.view.value)
        tiers, unable = self._tiers(request, directory)
        now, turn = trio.current_time(), next(self._turns)
        fast_first = Strategy.PREFER_FAST_WORKERS in exchange.strategies
        choices: list[Choice] = []
        obstacles: dict[PoolMember, Obstacle] = {}
        for tier in tiers:
            free: list[PoolMember] = []
            for candidate in tier:
                member = directory.members[candidate.worker]
                obstacle = member.obstacle(now)
                if obstacle is None:
                    free.append(member)
                else:
                    obstacles[member] = obstacle
            models = {candidate.worker: candidate.model for candidate in tier}
            ordered = self._order(free, turn, fast_first=fast_first)
            choices += [Choice(member.worker, models[member.name]) for member in ordered]
        trail.skipped = [
            *(Skipped(each.name, what.value) for each, what in obstacles.items()),
            *(Skipped(name, "unable") for name in unable),
        ]
        trail.choices = _longest_last(choices, request) if directory.knows_contexts else choices
        if not choices:
            trail.choices = (self._force(obstacles, tiers, request.model, now),)

    def _tiers(
        self, request: ModelRequest, directory: "_Directory"
    ) -> tuple[Tiers, Collection[WorkerName]]:
        """Who can serve it, and who serves the model but lacks something that it needs."""
        model = request.model
        tiers = resolve(model, directory.serves, aliases=self._parts.aliases)
        if directory.members and not tiers and model not in {None, ANY_MODEL}:
            raise _model_not_found(model, directory.serves, self._parts.aliases)
        left = able(request.needs, tiers, directory.features)
        if left is tiers:
            return tiers, ()
        able_ones = {one.worker for tier in left for one in tier}
        serving = dict.fromkeys(one.worker for tier in tiers for one in tier)
        return left, [name for name in serving if name not in able_ones]

    def _order(self, members: list[PoolMember], turn: int, *, fast_first: bool) -> list[PoolMember]:
        if len(members) <= 1:
            return members
        now, strategy = trio.current_time(), self._directory.view.strategy
        ordered: list[PoolMember] = []
        # Those nobody has checked yet are worth a try, after those known to be well.
        for status in (WorkerStatus.AVAILABLE, WorkerStatus.UNKNOWN):
            equals = {each.name: each for each in members if each.health.status is status}
            loads = [self._load(each, now) for each in equals.values()]
            names = order(
                strategy, loads, turn=turn, chance=self._parts.chance, fast_first=fast_first
            )
            ordered += [equals[name] for name in names]
        return ordered

    def _load(self, member: PoolMember, now: float) -> Load:
        worker = member.worker
        breaker = worker.traffic.breaker
        failure_rate = breaker.failure_rate(now)
        return Load(
            name=worker.name,
            priority=worker.settings.priority,
            in_flight=worker.slots.in_flight + worker.slots.queued,
            full=worker.slots.full,
            weight=worker.settings.weight,
            ttft_s=worker.traffic.pace.ttft_s(now),
            share=breaker.share(now),
            strained=failure_rate is not None and failure_rate > self._parts.strain_max,
        )

    def _force(
        self, obstacles: Mapping[PoolMember, Obstacle], tiers: Tiers, model: str | None, now: float
    ) -> Choice:
        """A worker whose circuit breaker is open, now and then.

        Errors: `NoWorkerAvailable` for all other requests.
        """
        resting = {
            member.name: member
            for member, obstacle in obstacles.items()
            if obstacle is Obstacle.BREAKER_OPEN
        }
        if resting and next(self._refusals) % FORCED_EVERY == 0:
            by_trial = {
                name: member.worker.traffic.ready_at(now) or now for name, member in resting.items()
            }
            candidate = min(
                (one for tier in tiers for one in tier if one.worker in resting),
                key=lambda one: by_trial[one.worker],
            )
            return Choice(resting[candidate.worker].worker, candidate.model, forced=True)
        ready = [
            member.worker.traffic.ready_at(now)
            for member, obstacle in obstacles.items()
            if obstacle.passes
        ]
        raise out_of_reach(
            model,
            list(obstacles.values()),
            [at - now for at in ready if at is not None],
            retry_after_s=self._parts.retry_after_s,
        )


class _Directory:
    """What is looked up in a view for every request; made once for each view."""

    def __init__(self, view: PoolView) -> None:
        self.view = view
        infos = {member.name: member.worker.info for member in view.members}
        self.members = {member.name: member for member in view.members}
        self.serves = [Serves(name, member.models) for name, member in self.members.items()]
        self.features = {name: info.features for name, info in infos.items()}
        self.knows_contexts = any(info.context_tokens is not None for info in infos.values())


def _longest_last(choices: list[Choice], request: ModelRequest) -> list[Choice]:
    """Those the prompt seems too long for come last, and not out: the length is an estimate."""
    if len(choices) <= 1 or not isinstance(request, ChatRequest):
        return choices
    tokens = estimate_input_tokens(request)

    def is_too_long(choice: Choice) -> bool:
        takes = choice.worker.info.context_tokens
        return takes is not None and tokens > takes

    return sorted(choices, key=is_too_long)


def _model_not_found(
    model: str | None, serves: list[Serves], aliases: Mapping[str, tuple[str, ...]]
) -> RequestRefused:
    known = sorted({*aliases, *(name for worker in serves for name in worker.models)})
    named = ", ".join(known[:_MODELS_NAMED_MAX]) or "none yet"
    more = ", …" if len(known) > _MODELS_NAMED_MAX else ""
    shown = ascii((model or "")[:100])
    return RequestRefused(
        f"no worker lists the model {shown}; known models: {named}{more}; or use 'auto'",
        param="model",
        code="model_not_found",
        status=404,
    )
