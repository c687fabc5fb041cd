"""What a node says of its cluster, without one."""

from typing import Any


def node_document(name: str, token: int, **more: Any) -> dict[str, Any]:
    """A node of the cluster."""
    load = {
        "in_flight": 2,
        "requests_per_second": 7.5,
        "workers": 3,
        "workers_available": 2,
    }
    return {
        "name": name,
        "address": "10.0.0.7:4000",
        "version": "1.2.3",
        "joined_at": "2025-11-21T09:30:00.000+00:00",
        "token": token,
        "is_self": False,
        "is_leader": False,
        "load": load,
        "status": "healthy",
        "degradation_level": "minor_issues",
        **more,
    }


def worker_document(name: str, kind: str, owner: str | None, **more: Any) -> dict[str, Any]:
    """A worker of the cluster."""
    return {
        "name": name,
        "type": kind,
        "owner": owner,
        "where": None if owner is None else "remote",
        "active": True,
        "states": {"north": "available", "south": "available"},
        "breakers": {"north": "closed", "south": "closed"},
        **more,
    }


def cluster_document(**more: Any) -> dict[str, Any]:
    """Two nodes and three workers."""
    return {
        "enabled": True,
        "state": "member",
        "reason": None,
        "cluster": "edge",
        "node": "south",
        "leader": "north",
        "is_leader": False,
        "lease_seconds": 10.0,
        "redis": {"up": True, "failure": None},
        "nodes": [
            node_document("north", 4, is_leader=True),
            node_document("south", 9, is_self=True, status="degraded"),
        ],
        "workers": [
            worker_document("alpha", "ollama", "north"),
            worker_document("beta", "openai", "south", where="local", active=False),
            worker_document(
                "gamma",
                "ollama",
                None,
                states={"north": "available", "south": "unavailable"},
                breakers={"north": "half_open", "south": "closed"},
            ),
        ],
        "distribution": {
            "north": {"workers": 2, "by_type": {"ollama": 2}},
            "south": {"workers": 1, "by_type": {"openai": 1}},
        },
        "unshared": [],
        **more,
    }
