"""Which workers can serve the model a client asks for, and under which name."""

from collections.abc import Mapping, Sequence

import attrs

from cortexd.domain.ids import WorkerName

ANY_MODEL = "auto"
"""The model name that, like none at all, means: whichever can serve."""

DEFAULT_TAG = ":latest"
"""Ollama lists `gemma3:latest` for what everybody calls `gemma3`."""


@attrs.frozen(kw_only=True)
class RoutingSettings:
    """[routing] in cortexd.toml. `aliases`: a name for clients -> what it stands for, best first.

    A target is `worker/model`, a worker's name, or a model's.
    """

    aliases: Mapping[str, tuple[str, ...]] = attrs.Factory(dict)


@attrs.frozen
class Candidate:
    """A worker that can serve, and the worker's own name of the model."""

    worker: WorkerName
    model: str


@attrs.frozen
class Serves:
    """What routing knows of a worker: the models it lists, its default first."""

    worker: WorkerName
    models: tuple[str, ...]


def resolve(
    model: str | None, workers: Sequence[Serves], *, aliases: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[Candidate, ...], ...]:
    """The candidates for `model`, in tiers: a later tier is for when all of an earlier one failed.

    Only an alias makes several tiers, one for each of its targets. Empty when nobody serves it.
    """
    if model is None or model == ANY_MODEL:
        tiers = [_any_model(workers)]
    elif model in aliases:
        tiers = [_target(target, workers) for target in aliases[model]]
    else:
        tiers = [_pinned(model, workers) or _by_model(model, workers)]
    return tuple(tier for tier in tiers if tier)


def _target(target: str, workers: Sequence[Serves]) -> tuple[Candidate, ...]:
    whole_worker = [serves for serves in workers if serves.worker == target]
    return (_any_model(whole_worker) if whole_worker else _pinned(target, workers)) or _by_model(
        target, workers
    )


def _any_model(workers: Sequence[Serves]) -> tuple[Candidate, ...]:
    return tuple(Candidate(serves.worker, serves.models[0]) for serves in workers if serves.models)


def _pinned(name: str, workers: Sequence[Serves]) -> tuple[Candidate, ...]:
    # A model's own name may contain a slash, so only a prefix that is a worker pins.
    worker, _, model = name.partition("/")
    return _by_model(model, [serves for serves in workers if serves.worker == worker])


def _by_model(model: str, workers: Sequence[Serves]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(serves.worker, listed)
        for serves in workers
        for listed in (model, model + DEFAULT_TAG)
        if listed in serves.models
    )
