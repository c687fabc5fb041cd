"""Layer 3: the model's name becomes an ordered list of workers to try.

Why here: outside failover, because which workers could serve is settled before the first of them is
asked; inside the deadline and accounting, because finding nobody is an outcome like any other.
"""

from collections.abc import Mapping
from itertools import count

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.errors import NoWorkerAvailable, RequestRefused
from cortexd.domain.request import ModelRequest
from cortexd.domain.worker import WorkerStatus
from cortexd.pipeline.exchange import ChatService, Choice, Exchange
from cortexd.policy.capabilities import able
from cortexd.policy.load_balancing import Load, order
from cortexd.policy.routing import ANY_MODEL, Candidate, Serves, resolve

_MODELS_NAMED_MAX = 10


class RoutingLayer:
    """Reads what the pool has published; never asks an actor."""

    def __init__(
        self,
        inner: ChatService,
        *,
        view: Published[PoolView],
        aliases: Mapping[str, tuple[str, ...]],
        retry_after_s: float,
    ) -> None:
        self._inner = inner
        self._view = view
        self._aliases = aliases
        self._retry_after_s = retry_after_s
        self._turns = count()
        self._directory = _Directory(view.value)

    async def __call__(self, exchange: Exchange) -> None:
        """Route the exchange. Raises `RequestRefused` (404) or `NoWorkerAvailable`."""
        exchange.choices = self._choose(exchange.request)
        await self._inner(exchange)

    def _choose(self, request: ModelRequest) -> tuple[Choice, ...]:
        if self._directory.view is not self._view.value:
            self._directory = _Directory(self._view.value)
        model, directory = request.model, self._directory
        tiers = resolve(model, directory.serves, aliases=self._aliases)
        if directory.members and _is_unknown(model, tiers):
            raise _model_not_found(model, directory.serves, self._aliases)
        tiers = able(request.needs, tiers, directory.features)
        turn = next(self._turns)
        choices = tuple(choice for tier in tiers for choice in _ordered(tier, directory, turn=turn))
        if not choices:
            raise NoWorkerAvailable(
                f"no worker that serves {model or 'a chat'!r} is available now; "
                "try again after the time in retry-after",
                retry_after_s=self._retry_after_s,
            )
        return choices


class _Directory:
    """What is looked up in a view for every request; made once for each view."""

    def __init__(self, view: PoolView) -> None:
        self.view = view
        self.members = {member.worker.name: member for member in view.members}
        self.serves = [Serves(name, member.models) for name, member in self.members.items()]
        self.features = {
            name: member.worker.provider.info().features for name, member in self.members.items()
        }


def _is_unknown(model: str | None, tiers: tuple[tuple[Candidate, ...], ...]) -> bool:
    """Whether the client named a model, and nobody lists it."""
    return not tiers and model not in {None, ANY_MODEL}


def _ordered(tier: tuple[Candidate, ...], directory: _Directory, *, turn: int) -> list[Choice]:
    models = {candidate.worker: candidate.model for candidate in tier}
    members = directory.members
    choices: list[Choice] = []
    # Those nobody has checked yet are worth a try, after those known to be well.
    for status in (WorkerStatus.AVAILABLE, WorkerStatus.UNKNOWN):
        equals = [members[name] for name in models if members[name].health.status is status]
        names = order(directory.view.strategy, [_load(member) for member in equals], turn=turn)
        choices += [Choice(members[name].worker, models[name]) for name in names]
    return choices


def _load(member: PoolMember) -> Load:
    slots = member.worker.slots
    return Load(
        name=member.worker.name,
        priority=member.worker.provider.priority,
        in_flight=slots.in_flight + slots.queued,
        full=slots.full,
    )


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
