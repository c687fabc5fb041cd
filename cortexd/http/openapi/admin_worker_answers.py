"""The documents about workers and the tree, as the admin listener's OpenAPI document has them."""

from typing import Final

from cortexd.domain.worker import Resume, WorkerStatus, WorkerType
from cortexd.http.openapi.admin_words import (
    COUNT,
    FLAG,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MOMENT,
    NUMBER,
    TEXT,
    listing,
    many,
    whole,
)
from cortexd.http.openapi.json_schema import Schema, closed, either, reference, word
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.key_health import KeyState
from cortexd.policy.obstacles import Obstacle

_BREAKER_STATE: Final = word("", *(state.value for state in BreakerState))

_AT_A_GLANCE: Final[dict[str, Schema]] = {
    "state": _BREAKER_STATE,
    "failures_in_a_row": COUNT,
    "last_failure": MAYBE_TEXT,
    "opened": COUNT,
    "retry_in_s": MAYBE_NUMBER,
}

_SETTING: Final = {
    "description": "What the configuration file has under this name in `[[workers]]`; see the "
    "reference of the configuration."
}

WORKER_SCHEMAS: Final[dict[str, Schema]] = {
    "Worker": whole(
        "A worker and what goes on with it. `until_restart`: it was added to the running node, and "
        "is gone when that ends. `skipped`: why it gets no requests now.",
        {
            "name": TEXT,
            "type": word("", *(each.value for each in WorkerType)),
            "status": word("", *(each.value for each in WorkerStatus)),
            "reason": MAYBE_TEXT,
            "active": FLAG,
            "until_restart": FLAG,
            "skipped": word("", None, *(each.value for each in Obstacle)),
            "models": many(TEXT),
            "priority": {"type": "integer"},
            "weight": NUMBER,
            "resume": word("", *(each.value for each in Resume)),
            "checked_seconds_ago": MAYBE_NUMBER,
            "in_flight": COUNT,
            "queued": COUNT,
            "max_concurrency": COUNT,
            "queue_max": COUNT,
            "queue": many(
                whole("Who waits.", {"position": COUNT, "waited_s": NUMBER}),
            ),
            "ttft_s": MAYBE_NUMBER,
            "breaker": whole("Its circuit breaker at a glance.", _AT_A_GLANCE),
            "keys": many(
                whole(
                    "One of its API keys: never the key, but its place.",
                    {
                        "index": COUNT,
                        "state": word("", *(each.value for each in KeyState)),
                        "rest_seconds": MAYBE_NUMBER,
                    },
                ),
            ),
        },
    ),
    "Workers": listing("Worker"),
    "NewWorker": closed(
        "One `[[workers]]` table. References to keys, as `env:NAME`, are for the provider's own "
        "address alone; at any other, the key itself is sent along.",
        {
            "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
            "type": word("", *(each.value for each in WorkerType if each.value != "embedded")),
            **dict.fromkeys(
                (
                    "base_url",
                    "models",
                    "api_keys",
                    "priority",
                    "weight",
                    "context_tokens",
                    "resume",
                    "max_concurrency",
                    "queue_max",
                    "connect_seconds",
                    "first_token_seconds",
                    "idle_seconds",
                    "total_seconds",
                    "script",
                ),
                _SETTING,
            ),
        },
        required=["name", "type"],
    ),
    "WorkerLeaves": whole(
        "The worker gets nothing new, and goes when it is done.",
        {"name": TEXT, "draining": FLAG},
    ),
    "Breaker": whole(
        "A circuit breaker with its counts, and what it has been through, oldest change first.",
        {
            "worker": TEXT,
            **_AT_A_GLANCE,
            "calls": COUNT,
            "failures": COUNT,
            "uptime_percent": NUMBER,
            "history": many(
                whole(
                    "A change.",
                    {
                        "seconds_ago": NUMBER,
                        "before": _BREAKER_STATE,
                        "after": _BREAKER_STATE,
                        "reason": TEXT,
                        "open_s": MAYBE_NUMBER,
                    },
                ),
            ),
        },
    ),
    "Breakers": many(reference("Breaker")),
    "Tree": whole(
        "A child of the supervision tree and all below it. `exits`: the latest ends of its "
        "incarnations, ten at most, the last one first. The mailbox is an actor's.",
        {
            "path": TEXT,
            "kind": word("", "supervisor", "worker"),
            "state": word("", "starting", "running", "restarting", "stopped"),
            "incarnation": COUNT,
            "uptime": NUMBER,
            "restarts": COUNT,
            "last_exit": MAYBE_TEXT,
            "mailbox_depth": COUNT,
            "mailbox_high": COUNT,
            "mailbox_full": COUNT,
            "handled": COUNT,
            "current_handler": MAYBE_TEXT,
            "handler_age": MAYBE_NUMBER,
            "next_restart_at": MAYBE_NUMBER,
            "exits": many(
                whole(
                    "The end of an incarnation.",
                    {
                        "exited_at": MOMENT,
                        "incarnation": COUNT,
                        "uptime_seconds": NUMBER,
                        "reason": TEXT,
                    },
                ),
            ),
            "children": many(reference("Tree")),
        },
    ),
    "MaybeTree": either(
        reference("Tree"), {"type": "null"}, about="`null` in the moment before it stands."
    ),
    "WorkerInvalid": whole(
        "What was sent is no worker that can be added.",
        {
            "error": whole(
                "The error.",
                {
                    "message": TEXT,
                    "type": TEXT,
                    "param": MAYBE_TEXT,
                    "code": word("", "invalid_worker"),
                    "problems": many(TEXT, "All of them, each with the key at fault."),
                },
            )
        },
    ),
}
