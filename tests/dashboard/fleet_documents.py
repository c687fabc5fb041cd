"""What a node says of its fleet, without one."""

from typing import Any


def worker_document(name: str, **more: Any) -> dict[str, Any]:
    """A worker of an agent."""
    return {
        "name": name,
        "type": "ollama",
        "active": True,
        "drained": False,
        "reachable": True,
        "taken_on": True,
        "in_flight": 1,
        "activity": 7,
        **more,
    }


def agent_document(name: str, *workers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An agent of the fleet."""
    return {
        "name": name,
        "version": "1.2.3",
        "state": "available",
        "registered_at": "2025-11-21T09:30:00.000+00:00",
        "last_status_at": "2025-11-21T09:31:00.000+00:00",
        "status_period_seconds": 5.0,
        "activity": 14,
        "load": 0.425,
        "commands": {
            "sent": 6,
            "answered": 5,
            "failed": 1,
            "response_ms": {"last": 8.2, "p50": 9.1, "p95": 31.0},
        },
        "workers": list(workers),
        **more,
    }


def fleet_document(*agents: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the node says of its fleet."""
    return {
        "enabled": True,
        "broker": {"up": True, "blocked": False, "failure": None},
        "demonstration": {"enabled": False, "period_seconds": 30.0},
        "agents": list(agents),
        **more,
    }


def activity_document(*items: tuple[str, str | None, str, int]) -> dict[str, Any]:
    """What has been written down."""
    at = "2025-11-21T09:31:00.000+00:00"
    listed = [
        {"at": at, "agent": agent, "worker": worker, "what": what, "activity": activity}
        for agent, worker, what, activity in items
    ]
    return {"items": listed, "total": 70, "next_cursor": "1"}
