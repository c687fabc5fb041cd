"""The cluster in the admin listener's OpenAPI document."""

from typing import Any, Final, TypeAlias

from cortexd.domain.cluster import ClusterState
from cortexd.domain.worker import WorkerType
from cortexd.http.openapi.admin_words import (
    COUNT,
    FLAG,
    MAYBE_TEXT,
    MOMENT,
    NUMBER,
    TEXT,
    Operation,
    answer,
    in_query,
    many,
    mapping,
    operation,
    whole,
)
from cortexd.http.openapi.json_schema import Schema, reference

Paths: TypeAlias = dict[str, dict[str, Operation]]

_TYPE: Final[Schema] = {"type": "string", "enum": [kind.value for kind in WorkerType]}

CLUSTER_PATHS: Final[Paths] = {
    "/admin/cluster": {
        "get": operation(
            "getCluster",
            "Show the nodes that share a Redis, and which of them sees to which worker.",
            answer("As this node sees it; without a cluster, itself.", reference("Cluster")),
            takes=[in_query("type", "Workers of this type only.", _TYPE)],
        )
    },
}

_LOAD: Final[Any] = whole(
    "What it has to do.",
    {
        "in_flight": COUNT,
        "requests_per_second": NUMBER,
        "workers": COUNT,
        "workers_available": COUNT,
    },
)

CLUSTER_SCHEMAS: Final[dict[str, Schema]] = {
    "Cluster": whole(
        "A cluster, as one of its nodes sees it. `reason`: why the node is alone. `unshared`: the "
        "workers that are not so on all nodes.",
        {
            "enabled": FLAG,
            "state": {"type": "string", "enum": [state.value for state in ClusterState]},
            "reason": MAYBE_TEXT,
            "cluster": MAYBE_TEXT,
            "node": TEXT,
            "leader": MAYBE_TEXT,
            "is_leader": FLAG,
            "lease_seconds": NUMBER,
            "redis": whole("The link to it.", {"up": FLAG, "failure": MAYBE_TEXT}),
            "nodes": many(reference("ClusterNode")),
            "workers": many(reference("ClusterWorker")),
            "distribution": mapping(
                whole(
                    "How many workers a node sees to.",
                    {"workers": COUNT, "by_type": mapping(COUNT, "The same, by their type.")},
                ),
                "By the names of the nodes.",
            ),
            "unshared": many(whole("A worker of this node.", {"worker": TEXT, "reason": TEXT})),
        },
    ),
    "ClusterNode": whole(
        "A node, by its last beat. `token` is greater than those of all that joined before.",
        {
            "name": TEXT,
            "address": MAYBE_TEXT,
            "version": TEXT,
            "joined_at": MOMENT,
            "token": COUNT,
            "is_self": FLAG,
            "is_leader": FLAG,
            "load": _LOAD,
            "status": TEXT,
            "degradation_level": TEXT,
        },
    ),
    "ClusterWorker": whole(
        "A worker on all nodes that have it. `owner`: the node that probes it for all, and runs it "
        "if it is embedded; `where`: whether that is this node.",
        {
            "name": TEXT,
            "type": TEXT,
            "owner": MAYBE_TEXT,
            "where": {"type": ["string", "null"], "enum": ["local", "remote", None]},
            "active": FLAG,
            "states": mapping(TEXT, "How it does, by the names of the nodes."),
            "breakers": mapping(TEXT, "Its circuit breakers, by the names of the nodes."),
        },
    ),
}
