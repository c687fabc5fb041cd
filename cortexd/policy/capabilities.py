"""Which workers can do what a request asks for."""

from collections.abc import Mapping
from typing import TypeAlias

from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.domain.ids import WorkerName
from cortexd.policy.routing import Candidate

Tiers: TypeAlias = tuple[tuple[Candidate, ...], ...]


def able(
    needs: Mapping[Feature, str], tiers: Tiers, features: Mapping[WorkerName, frozenset[Feature]]
) -> Tiers:
    """The candidates that have all the features needed, in their tiers.

    Errors: `RequestRefused` that names the field, where there are candidates and none is able.
    """
    if not needs:
        return tiers
    wanted = needs.keys()
    left = (tuple(one for one in tier if wanted <= features[one.worker]) for tier in tiers)
    found = tuple(tier for tier in left if tier)
    if tiers and not found:
        raise _unsupported(needs, [features[one.worker] for tier in tiers for one in tier])
    return found


def _unsupported(needs: Mapping[Feature, str], offers: list[frozenset[Feature]]) -> RequestRefused:
    """Name the field that nobody serves, or all the fields that nobody serves together."""
    missing = [feature for feature in needs if not any(feature in offer for offer in offers)]
    # Each feature may have a worker of its own, and still no worker have them all.
    features = missing[:1] or list(needs)
    path = needs[features[0]]
    wanted = " together with ".join(feature.value for feature in features)
    return RequestRefused(
        f"no worker that serves this model supports {wanted}; "
        f"leave out {' or '.join(dict.fromkeys(needs[feature] for feature in features))}, "
        "or name another model",
        path,
        "unsupported_parameter",
    )
