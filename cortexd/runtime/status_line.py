"""The node in one line, for `systemctl status`."""

from collections.abc import Sequence

from cortexd.actors.worker_pool import PoolMember
from cortexd.domain.worker import WorkerStatus
from cortexd.policy.degradation import DegradationLevel


def status_line(
    members: Sequence[PoolMember], level: DegradationLevel, *, in_flight: int, is_draining: bool
) -> str:
    """Such as `serving: 2 of 3 workers available (down: groq), minor_issues, 12 requests`."""
    down = [each.name for each in members if each.health.status is WorkerStatus.UNAVAILABLE]
    available = sum(each.health.status is WorkerStatus.AVAILABLE for each in members)
    parts = [
        f"{available} of {len(members)} workers available",
        f"level {level.value}",
        f"{in_flight} requests in flight",
    ]
    if down:
        parts[0] += f" (down: {', '.join(down)})"
    return f"{'draining' if is_draining else 'serving'}: {', '.join(parts)}"
