"""What the admin listener answers but for workers: how the node is, what has happened, who may."""

from typing import Final

from cortexd.domain.alert import AlertState, Rule, Severity
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.criticality import Criticality
from cortexd.domain.outcome import Outcome
from cortexd.domain.worker import WorkerStatus
from cortexd.http.openapi.admin_words import (
    ANYTHING,
    COUNT,
    FLAG,
    MAYBE_COUNT,
    MAYBE_MOMENT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MOMENT,
    NUMBER,
    TEXT,
    listing,
    many,
    mapping,
    whole,
)
from cortexd.http.openapi.json_schema import Schema, closed, growing, reference, word
from cortexd.policy.degradation import LEVELS
from cortexd.policy.health import NodeStatus
from cortexd.policy.load_balancing import PoolStrategy

_LEVEL: Final = word("", *(level.value for level in LEVELS))
_NODE_STATUS: Final = word("", *(status.value for status in NodeStatus))

_PERCENTILES: Final = whole(
    "Milliseconds to the first token; `null` where there was none.",
    {"p50": MAYBE_NUMBER, "p95": MAYBE_NUMBER, "p99": MAYBE_NUMBER},
)

_CACHE: Final[dict[str, Schema]] = {
    "entries": COUNT,
    "bytes": COUNT,
    "hits": COUNT,
    "misses": COUNT,
    "shared": COUNT,
    "l2_hits": COUNT,
    "l2_misses": COUNT,
    "l2_failed": COUNT,
    "hit_rate": MAYBE_NUMBER,
}

STATE_SCHEMAS: Final[dict[str, Schema]] = {
    "NodeHealth": whole(
        "What clients are told of the node's health; the rest is there if it was asked for.",
        {
            "status": _NODE_STATUS,
            "degradation_level": _LEVEL,
            "timestamp": MOMENT,
            "uptime_seconds": NUMBER,
            "workers": mapping(TEXT, "How each worker is, by its name."),
            "reasons": mapping(TEXT, "Why a worker is unavailable, by its name."),
        },
    ),
    "HealthCheck": whole(
        "What a health check has shown.",
        {
            "checked_at": MOMENT,
            "worker": TEXT,
            "passed": FLAG,
            "reason": MAYBE_TEXT,
            "duration_ms": NUMBER,
            "worker_status": word("", *(status.value for status in WorkerStatus)),
            "status": _NODE_STATUS,
        },
    ),
    "HealthChecks": listing("HealthCheck"),
    "Performance": whole(
        "How fast the node is, and what it uses.",
        {
            "uptime_seconds": NUMBER,
            "memory_usage": whole("Resident memory.", {"value": NUMBER, "unit": TEXT}),
            "process_count": COUNT,
            "tasks": COUNT,
            "requests_per_second": NUMBER,
            "tokens_per_second": NUMBER,
            "error_rate": NUMBER,
            "ttft_ms": _PERCENTILES,
            "loop_lag_ms": NUMBER,
        },
    ),
    "Dashboard": whole(
        "Everything in one document.",
        {
            "system_health": reference("NodeHealth"),
            "node": whole("Which node it is.", {"name": TEXT, "version": TEXT}),
            "workers": many(reference("Worker")),
            "circuits": reference("Breakers"),
            "cache": reference("CacheAtAGlance"),
            "alerts": whole(
                "The alerts; `active` are those that nobody sees to yet.",
                {"active": COUNT, "total": COUNT, "items": many(reference("Alert"))},
            ),
            "degradation": whole(
                "The level at which the node works.",
                {
                    "level": _LEVEL,
                    "forced": FLAG,
                    "reason": MAYBE_TEXT,
                    "accepting_requests": FLAG,
                    "strategies": many(TEXT),
                },
            ),
            "dead_letter_queue": whole(
                "The dead letters at a glance.",
                {
                    "stats": whole(
                        "Figures.",
                        {
                            "total": COUNT,
                            "by_error": mapping(COUNT, "How many, by what went wrong."),
                            "oldest_at": MAYBE_MOMENT,
                            "bytes": COUNT,
                            "dropped": COUNT,
                            "unreadable": COUNT,
                        },
                    ),
                    "recent_items": many(reference("DeadLetter")),
                },
            ),
            "pools": whole(
                "How workers are chosen.",
                {
                    "strategy": word("", *(strategy.value for strategy in PoolStrategy)),
                    "in_flight": COUNT,
                },
            ),
            "performance": reference("Performance"),
            "tree": reference("MaybeTree"),
        },
    ),
    "CacheAtAGlance": whole("The cache of answers; counts since the start.", _CACHE),
    "Cache": whole(
        "The cache of answers; counts since the start.",
        {"enabled": FLAG, **_CACHE, "bytes_max": COUNT, "evictions": COUNT, "expired": COUNT},
    ),
    "Purged": whole("How many are gone.", {"purged": COUNT}),
    "Exchange": whole(
        "The account of a request: where it went, why, and what came of it. No word of what was "
        "said. `candidates`: each worker that serves the model, and its part.",
        {
            "ended_at": MOMENT,
            "request_id": TEXT,
            "door": TEXT,
            "model": MAYBE_TEXT,
            "outcome": word("", *(outcome.value for outcome in Outcome)),
            "duration_s": NUMBER,
            "first_token_s": MAYBE_NUMBER,
            "worker": MAYBE_TEXT,
            "candidates": many(TEXT),
            "attempts": COUNT,
            "failures": many(TEXT),
            "resumed": COUNT,
            "cache": word("", *(use.value for use in CacheUse)),
            "usage": {"type": ["object", "null"], "description": "Tokens spent."},
            "usage_is_estimate": FLAG,
        },
    ),
    "Exchanges": listing("Exchange"),
    "Configuration": mapping(
        ANYTHING, "The configuration by its sections, as the reference has them; secrets are `***`."
    ),
    "Reloaded": whole(
        "What has changed, and what only a restart can change.",
        {"changes": many(TEXT), "restart_needed": many(TEXT)},
    ),
    "ReloadRefused": whole(
        "The file cannot be used: nothing has changed.",
        {
            "error": whole(
                "The error.",
                {
                    "message": TEXT,
                    "type": TEXT,
                    "param": MAYBE_TEXT,
                    "code": word("", "invalid_configuration"),
                },
            ),
            "problems": many(TEXT, "All of them, each with its place in the file."),
        },
    ),
    "Charts": whole(
        "Series as lists of points: a time in seconds since the epoch, and a value.",
        {
            "series": mapping(many(many({"type": ["number", "null"]})), "By name."),
            "step_seconds": NUMBER,
        },
    ),
}

MATTER_SCHEMAS: Final[dict[str, Schema]] = {
    "Degradation": whole(
        "The level at which the node works, and what that means.",
        {
            "level": _LEVEL,
            "automatic_level": _LEVEL,
            "forced": FLAG,
            "reason": MAYBE_TEXT,
            "since_at": MOMENT,
            "accepting_requests": FLAG,
            "strategies": many(TEXT),
            "history": many(
                whole(
                    "A change.",
                    {
                        "changed_at": MOMENT,
                        "before": _LEVEL,
                        "after": _LEVEL,
                        "forced": FLAG,
                        "reason": MAYBE_TEXT,
                    },
                )
            ),
        },
    ),
    "LevelWish": closed(
        "A level to be forced, or `auto`.",
        {"level": word("", "auto", *(level.value for level in LEVELS))},
        required=["level"],
    ),
    "Alert": whole(
        "Something that needs a person.",
        {
            "id": TEXT,
            "rule": word("", *(rule.value for rule in Rule)),
            "target": TEXT,
            "severity": word("", *(severity.value for severity in Severity)),
            "state": word("", *(state.value for state in AlertState)),
            "message": TEXT,
            "since_at": MAYBE_MOMENT,
            "last_fired_at": MAYBE_MOMENT,
            "resolved_at": MAYBE_MOMENT,
            "count": COUNT,
        },
    ),
    "Alerts": listing("Alert"),
    "DeadLetter": whole(
        "A request that was given up, as a list has it; alone, with `request` and `retried`.",
        {
            "id": TEXT,
            "kept_at": MOMENT,
            "door": TEXT,
            "model": MAYBE_TEXT,
            "error": whole("Why.", {"kind": TEXT, "message": TEXT}),
            "attempts": many(whole("Who failed.", {"worker": TEXT, "error": TEXT})),
            "key_id": MAYBE_TEXT,
            "request_id": TEXT,
            "has_body": FLAG,
            "bytes": COUNT,
            "retries": growing("How often it was tried again.", {"count": COUNT}),
        },
    ),
    "DeadLetters": {
        "description": "`unreadable`: so many of all letters cannot be read, and are on no page.",
        "allOf": [
            listing("DeadLetter"),
            growing("", {"unreadable": COUNT}, required=["unreadable"]),
        ],
    },
    "Deleted": whole("It is gone.", {"deleted": FLAG}),
    "PurgeWish": closed(
        "Which ones: those of at least that age, or all of them.",
        {"older_than_seconds": {"type": ["number", "null"], "minimum": 0, "maximum": 1e9}},
    ),
    "ClientKey": whole(
        "A key of a client, but for the key itself.",
        {
            "id": TEXT,
            "name": TEXT,
            "class": word("", *(each.value for each in Criticality)),
            "scope": TEXT,
            "state": word("", "active", "revoked", "expired"),
            "created_at": MAYBE_MOMENT,
            "expires_at": MAYBE_MOMENT,
            "last_used_on": MAYBE_TEXT,
            "requests_per_minute": MAYBE_COUNT,
            "tokens_per_minute": MAYBE_COUNT,
            "source": TEXT,
        },
    ),
    "ClientKeys": listing("ClientKey"),
    "NewClientKey": {
        "description": "The key is shown here and never again.",
        "allOf": [reference("ClientKey"), growing("", {"key": TEXT}, required=["key"])],
    },
    "ClientKeyWish": closed(
        "What the key is to be like.",
        {
            "name": {"type": ["string", "null"], "maxLength": 200},
            "class": word("", None, *(each.value for each in Criticality)),
            "scope": word("", None, "chat", "metrics"),
            "requests_per_minute": {"type": ["integer", "null"], "minimum": 1, "maximum": 10**9},
            "tokens_per_minute": {"type": ["integer", "null"], "minimum": 1, "maximum": 10**9},
            "expires_in_seconds": {
                "type": ["number", "null"],
                "minimum": 1,
                "maximum": 100 * 366 * 86_400,
            },
        },
    ),
    "Login": closed(
        "The admin token.", {"token": {"type": "string", "maxLength": 4096}}, required=["token"]
    ),
    "Session": whole(
        "What a page sends along with each request that changes something, in `x-csrf-token`.",
        {"csrf_token": TEXT},
    ),
    "LoggedOut": whole("The session is over, if there was one.", {"logged_out": FLAG}),
    "AdminError": whole(
        "An error.",
        {
            "error": whole(
                "The error.",
                {"message": TEXT, "type": TEXT, "param": MAYBE_TEXT, "code": MAYBE_TEXT},
            )
        },
    ),
}
