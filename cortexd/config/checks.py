"""What only shows when several keys, or several sections, are looked at together.

Rule of this file: a value that is wrong by itself is no longer in its draft, so it is not judged
twice.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from cortexd.config.addresses import Address, WrongAddress, meet, parse_address
from cortexd.config.problems import KeyPath, key_name
from cortexd.config.sections import Complaint, Draft
from cortexd.domain.worker import WorkerType
from cortexd.policy.routing import ANY_MODEL, DEFAULT_TAG
from cortexd.providers.scripted.worker import DEFAULT_MODEL

_NO_KEYS = (
    "is beyond loopback, where anybody could chat without a key: add [[keys]] for clients, or bind"
    " to 127.0.0.1"
)
_OPEN_ADMIN = (
    "is beyond loopback: bind to 127.0.0.1 or unix:PATH, and reach it from elsewhere through SSH or"
    " a proxy with TLS"
)

_RISING: Final = (
    ("critical_below", "major_below"),
    ("major_below", "minor_below"),
    ("critical_below", "critical_recovery"),
    ("major_below", "major_recovery"),
    ("minor_below", "minor_recovery"),
    ("pressure_minor", "pressure_major"),
    ("pressure_major", "pressure_critical"),
)
"""Keys of [degradation]: the first of each pair is at most the second."""


def check_listeners(data: Draft, admin: Draft, *, has_keys: bool) -> Iterator[Complaint]:
    """Each address is one, stays on this machine, and is wanted once.

    `has_keys`: clients have to show one, so that theirs may be reached from elsewhere.
    """
    taken: list[tuple[KeyPath, Address]] = []
    for draft in (data, admin):
        for index, text in enumerate(draft.get("bind") or ()):
            path = (*draft.path, "bind", index)
            try:
                address = parse_address(text, unix_allowed=draft is admin)
            except WrongAddress as error:
                yield path, str(error)
                continue
            if not address.is_loopback and (draft is admin or not has_keys):
                yield path, _OPEN_ADMIN if draft is admin else _NO_KEYS
            owners = [owner for owner, other in taken if meet(address, other)]
            if owners:
                yield path, f"the address is taken by {key_name(owners[0])}"
            taken.append((path, address))


def check_health(health: Draft) -> Iterator[Complaint]:
    """A check ends before the next one begins."""
    timeout, interval = health.get("timeout_seconds"), health.get("interval_seconds")
    if timeout is not None and interval is not None and timeout > interval:
        # Whichever was written is the one to look at.
        key = "timeout_seconds"
        if key not in health.set_here:
            key = "interval_seconds"
        text = "a check must end before the next begins: timeout_seconds at most interval_seconds"
        yield (*health.path, key), f"{text} (they are {timeout:g} and {interval:g})"


def check_degradation(degradation: Draft) -> Iterator[Complaint]:
    """The thresholds are in the order of the levels, and recovery is above the fall."""
    for lower, upper in _RISING:
        low, high = degradation.get(lower), degradation.get(upper)
        if low is not None and high is not None and low > high:
            # Whichever was written is the one to look at.
            key = lower if lower in degradation.set_here else upper
            text = f"{lower} must be at most {upper} (they are {low:g} and {high:g})"
            yield (*degradation.path, key), text


def check_embedded(embedded: Draft) -> Iterator[Complaint]:
    """Weights that are named are there."""
    weights = embedded.get("weights")
    if weights is not None and not weights.is_file():
        yield (*embedded.path, "weights"), f"there is no file {weights.absolute()}"


def check_aliases(
    routing: Draft, workers: Sequence[Draft], *, embedded_model: str | None
) -> Iterator[Complaint]:
    """Each alias can be asked for, and each of its targets can lead somewhere."""
    aliases: Mapping[str, tuple[str, ...]] = routing.get("aliases") or {}
    directory = _Directory.of(workers, embedded_model=embedded_model)
    for alias, targets in aliases.items():
        path = (*routing.path, "aliases", alias)
        if alias in {"", ANY_MODEL}:
            yield path, f'the name "{alias}" already means any model; choose another'
        if not targets:
            yield path, "must have at least one target"
        for index, target in enumerate(targets):
            complaint = directory.complaint(target)
            if complaint:
                yield (*path, index), complaint


@attrs.frozen
class _Directory:
    """Which worker serves which models, `None` where that shows only at run time."""

    models: Mapping[str, frozenset[str] | None]

    @classmethod
    def of(cls, workers: Sequence[Draft], *, embedded_model: str | None) -> "_Directory":
        return cls(
            {
                worker.values["name"]: _known_models(worker, embedded_model)
                for worker in workers
                if "name" in worker.values
            }
        )

    def complaint(self, target: str) -> str:
        """Why the target leads nowhere; empty if it may lead somewhere."""
        worker, slash, model = target.partition("/")
        if not target or (slash and not (worker and model)):
            return "must be WORKER/MODEL, the name of a worker, or the name of a model"
        if target in self.models or any(_has(known, target) for known in self.models.values()):
            return ""
        if slash and worker in self.models:
            known = self.models[worker]
            return "" if known is None or _has(known, model) else _no_such(model, known)
        if any(known is None for known in self.models.values()):
            # It may be the name of a model that a worker will be found to have: those have slashes.
            return ""
        names = [*self.models, *(name for known in self.models.values() for name in known or ())]
        return _no_such(target, names)


def _known_models(worker: Draft, embedded_model: str | None) -> frozenset[str] | None:
    models = worker.get("models")
    if models:
        return frozenset(models)
    match worker.get("type"):
        case WorkerType.EMBEDDED if embedded_model is not None:
            return frozenset({embedded_model})
        case WorkerType.SCRIPTED:
            return frozenset({DEFAULT_MODEL})
    return None


def _has(known: frozenset[str] | None, model: str) -> bool:
    return known is not None and not known.isdisjoint({model, model + DEFAULT_TAG})


def _no_such(name: str, known: Iterator[str] | Sequence[str] | frozenset[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f"names no worker and no model that a worker serves{hint}"
