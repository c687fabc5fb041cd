"""How a worker looks to operators: its state, its traffic, its circuit breaker, its keys."""

from typing import Any, Final

import attrs

from cortexd.actors.roster import RegisteredWorker
from cortexd.actors.worker_pool import PoolMember
from cortexd.policy.health_score import health_score

_AT_A_GLANCE: Final = ("state", "failures_in_a_row", "last_failure", "opened", "retry_in_s")


def worker_document(member: PoolMember, now: float, *, is_configured: bool) -> dict[str, Any]:
    """The worker and what goes on with it. `now` is on the monotonic clock.

    One that is not of the configuration is there until the node restarts.
    """
    worker = member.worker
    connections = worker.provider.connections()
    obstacle = member.obstacle(now)
    checked_at = member.health.checked_at
    return {
        "name": worker.name,
        "type": worker.settings.type.value,
        "status": member.health.status.value,
        "reason": member.health.reason,
        "active": worker.is_active,
        "until_restart": not is_configured,
        "skipped": None if obstacle is None else obstacle.value,
        "models": list(member.models),
        "priority": worker.settings.priority,
        "weight": worker.settings.weight,
        "resume": worker.settings.resume.value,
        "checked_seconds_ago": None if checked_at is None else round(now - checked_at, 3),
        "in_flight": worker.slots.in_flight,
        "queued": worker.slots.queued,
        "max_concurrency": worker.settings.max_concurrency,
        "queue_max": worker.settings.queue_max,
        "queue": [
            {"position": each.position, "waited_s": round(now - each.since, 3)}
            for each in worker.slots.waiting
        ],
        "ttft_s": worker.traffic.pace.ttft_s(now),
        "score": health_score(worker.traffic, member.health, now),
        "breaker": _breaker(worker, now),
        "keys": _keys(worker, now) if worker.settings.api_keys else [],
        "connections": None if connections is None else attrs.asdict(connections),
    }


def breaker_document(worker: RegisteredWorker, now: float) -> dict[str, Any]:
    """The circuit breaker with its counts and what it has been through, oldest change first."""
    record = worker.breaker.record(now)
    retry_at = worker.breaker.retry_at(now)
    return {
        "worker": worker.name,
        "state": record.state.value,
        "calls": record.calls,
        "failures": record.failures,
        "failures_in_a_row": record.failures_in_a_row,
        "last_failure": record.last_failure,
        "uptime_percent": round(100.0 * record.uptime_share, 3),
        "opened": record.opened,
        "retry_in_s": None if retry_at is None else round(retry_at - now, 3),
        "history": [
            {
                "seconds_ago": round(now - past.at, 3),
                "before": past.change.before.value,
                "after": past.change.after.value,
                "reason": past.change.reason,
                "open_s": past.change.open_s,
            }
            for past in record.history
        ],
    }


def _breaker(worker: RegisteredWorker, now: float) -> dict[str, Any]:
    """What is to be seen of it at a glance."""
    whole = breaker_document(worker, now)
    return {name: whole[name] for name in _AT_A_GLANCE}


def _keys(worker: RegisteredWorker, now: float) -> list[dict[str, Any]]:
    """The keys by their position: what they are is nobody's business."""
    return [
        {
            "index": record.key,
            "state": record.state.value,
            "rest_seconds": None if record.until is None else round(record.until - now, 3),
            "picks": record.picks,
            "limits": record.limits,
            "exhaustions": record.exhaustions,
            "rejections": record.rejections,
        }
        for record in worker.traffic.keys.records(now)
    ]
