"""How far the node has fallen, as a level from the share of workers it still has."""

from enum import Enum, unique


@unique
class DegradationLevel(Enum):
    """Five steps from all is well to nothing works."""

    HEALTHY = "healthy"
    MINOR_ISSUES = "minor_issues"
    MAJOR_ISSUES = "major_issues"
    CRITICAL = "critical"
    EMERGENCY = "emergency"


_LEAST_SHARE = (
    (0.8, DegradationLevel.HEALTHY),
    (0.5, DegradationLevel.MINOR_ISSUES),
    (0.2, DegradationLevel.MAJOR_ISSUES),
)


def degradation_level(available: int, workers: int) -> DegradationLevel:
    """The level for `available` out of `workers`: the first whose least share is reached."""
    if available == 0:
        return DegradationLevel.EMERGENCY
    share = available / workers
    for least, level in _LEAST_SHARE:
        if share >= least:
            return level
    return DegradationLevel.CRITICAL
