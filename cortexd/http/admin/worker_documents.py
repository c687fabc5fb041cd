"""How a worker looks to operators: its state, its traffic, its circuit breaker, its keys."""

from typing import Any

import attrs

from cortexd.actors.roster import RegisteredWorker
from cortexd.actors.worker_pool import PoolMember


def worker_document(member: PoolMember, now: float) -> dict[str, Any]:
    """The worker and what goes on with it. `now` is on the monotonic clock."""
    worker = member.worker
    connections = worker.provider.connections()
    obstacle = member.obstacle(now)
    return {
        "name": worker.name,
        "type": worker.settings.type.value,
        "status": member.health.status.value,
        "reason": member.health.reason,
        "active": worker.is_active,
        "skipped": None if obstacle is None else obstacle.value,
        "models": list(member.models),
        "priority": worker.settings.priority,
        "in_flight": worker.slots.in_flight,
        "queued": worker.slots.queued,
        "max_concurrency": worker.settings.max_concurrency,
        "queue_max": worker.settings.queue_max,
        "queue": [
            {"position": each.position, "waited_s": round(now - each.since, 3)}
            for each in worker.slots.waiting
        ],
        "ttft_s": worker.traffic.pace.ttft_s(now),
        "breaker": worker.breaker.state(now).value,
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


def _keys(worker: RegisteredWorker, now: float) -> list[dict[str, Any]]:
    """The keys by their position: what they are is nobody's business."""
    return [
        {
            "key": record.key,
            "state": record.state.value,
            "for_s": None if record.until is None else round(record.until - now, 3),
            "picks": record.picks,
            "limits": record.limits,
            "exhaustions": record.exhaustions,
            "rejections": record.rejections,
        }
        for record in worker.traffic.keys.records(now)
    ]
