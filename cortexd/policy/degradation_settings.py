"""When the node counts as fallen, and what is done about it, in numbers."""

from typing import Final

import attrs
from attrs import validators

from cortexd.policy.degradation import DegradationLevel

FIRST_WORKER_S_MAX: Final = 60.0
"""How long a node that starts waits for its first worker before it counts as fallen.

A model takes a while to load, and who asks meanwhile is told that no worker is there yet.
"""

_share = validators.and_(validators.ge(0.0), validators.le(1.0))


@attrs.frozen(kw_only=True)
class DegradationSettings:
    """[degradation] in cortexd.toml. Shares are from 0 to 1, times in seconds.

    `..._below`: a smaller share of available workers takes the node to this level at least;
    `..._recovery`: with at least this share it leaves the level upwards. `pressure_...`: the share
    of memory, files, loop time or requests in flight at which the level is reached.
    """

    enabled: bool = True
    minor_below: float = attrs.field(default=0.8, validator=_share)
    major_below: float = attrs.field(default=0.5, validator=_share)
    critical_below: float = attrs.field(default=0.2, validator=_share)
    minor_recovery: float = attrs.field(default=0.9, validator=_share)
    major_recovery: float = attrs.field(default=0.7, validator=_share)
    critical_recovery: float = attrs.field(default=0.4, validator=_share)
    emergency_recovery: float = attrs.field(default=0.0, validator=_share)
    timeouts_factor: float = attrs.field(
        default=0.7, validator=validators.and_(validators.gt(0.0), validators.le(1.0))
    )
    concurrent_requests_max: int = attrs.field(default=256, validator=validators.ge(1))
    cache_ttl_factor: float = attrs.field(default=4.0, validator=validators.ge(1.0))
    stale_seconds: float = attrs.field(default=3600.0, validator=validators.ge(0.0))
    pressure_minor: float = attrs.field(default=0.8, validator=_share)
    pressure_major: float = attrs.field(default=0.9, validator=_share)
    pressure_critical: float = attrs.field(default=0.95, validator=_share)
    memory_bytes_max: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(1))
    )
    in_flight_max: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(1))
    )
    loop_lag_seconds_max: float = attrs.field(default=1.0, validator=validators.gt(0.0))

    def recovery_share(self, level: DegradationLevel) -> float:
        """The share of available workers with which this level is left upwards."""
        return {
            DegradationLevel.HEALTHY: 0.0,
            DegradationLevel.MINOR_ISSUES: self.minor_recovery,
            DegradationLevel.MAJOR_ISSUES: self.major_recovery,
            DegradationLevel.CRITICAL: self.critical_recovery,
            DegradationLevel.EMERGENCY: self.emergency_recovery,
        }[level]


@attrs.frozen
class Staffing:
    """How many workers there are for new requests.

    `resting` are those that nobody has found gone, but whose circuit breaker is open or whose keys
    are all off: they are not available, yet are tried now and then.
    """

    available: int
    resting: int
    workers: int

    @property
    def share(self) -> float:
        """The available ones, from 0 to 1."""
        return self.available / self.workers if self.workers else 0.0


def as_expected(staffing: Staffing, *, had_one: bool, age_s: float) -> Staffing:
    """The staffing to go by: of a node that has just started, and had no worker yet, the full one.

    `age_s`: for how long the node has been looking.
    """
    if had_one or age_s >= FIRST_WORKER_S_MAX:
        return staffing
    return Staffing(staffing.workers, 0, staffing.workers)


def level_by_workers(staffing: Staffing, settings: DegradationSettings) -> DegradationLevel:
    """How far this many workers take the node down.

    An emergency is when nobody can be asked at all, and not merely when all are at rest.
    """
    if not staffing.available:
        return DegradationLevel.CRITICAL if staffing.resting else DegradationLevel.EMERGENCY
    for below, level in (
        (settings.critical_below, DegradationLevel.CRITICAL),
        (settings.major_below, DegradationLevel.MAJOR_ISSUES),
        (settings.minor_below, DegradationLevel.MINOR_ISSUES),
    ):
        if staffing.share < below:
            return level
    return DegradationLevel.HEALTHY


def level_by_pressure(share: float, settings: DegradationSettings) -> DegradationLevel:
    """How far it takes the node down that so much of what it has is used up."""
    for limit, level in (
        (settings.pressure_critical, DegradationLevel.CRITICAL),
        (settings.pressure_major, DegradationLevel.MAJOR_ISSUES),
        (settings.pressure_minor, DegradationLevel.MINOR_ISSUES),
    ):
        if share >= limit:
            return level
    return DegradationLevel.HEALTHY
