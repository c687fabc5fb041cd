"""Every metric of the node: its name, its labels, its meaning. The reference is made from this.

Rules of this file: base units, and the unit in the name; labels have few values, and none that a
client can choose, such as the name of a model: whatever is not known counts as `other`.
"""

from enum import Enum, unique
from typing import Final

import attrs

OTHER: Final = "other"
"""The label of whoever is not known."""

_UNITS: Final = {"seconds", "bytes"}

_LATENCY_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
)
"""From an answer out of the cache to one that takes minutes."""

_TOKEN_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0)
"""From a thousand tokens a second to one."""

_OVERHEAD_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
"""From a short request on an idle node to one that had to wait for others to fail."""


@unique
class Kind(Enum):
    """What Prometheus makes of the numbers."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@attrs.frozen
class Metric:
    """A family of time series. `buckets`: the upper bounds, for a histogram."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def base_name(self) -> str:
        """The name without what says that it is a counter."""
        return self.name.removesuffix("_total")

    @property
    def unit(self) -> str:
        """The unit that is in its name, if there is one."""
        last = self.base_name.rpartition("_")[2]
        return last if last in _UNITS else ""


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, meaning, labels)


def _histogram(name: str, meaning: str, label: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, meaning, (label,), buckets)


REQUESTS: Final = _counter(
    "cortexd_requests_total", "Requests that have ended, by how they did.", "door", "outcome"
)
REQUEST_DURATION: Final = _histogram(
    "cortexd_request_duration_seconds",
    "Time from the arrival of a request to its end.",
    "door",
    _LATENCY_S,
)
TTFT: Final = _histogram(
    "cortexd_time_to_first_token_seconds",
    "Time from the arrival of a request to the first piece of its answer, as sent to the client.",
    "door",
    _LATENCY_S,
)
OVERHEAD: Final = _histogram(
    "cortexd_gateway_overhead_seconds",
    "Time from the arrival of a request to the first worker being asked, without the wait for one"
    " of that worker's slots.",
    "door",
    _OVERHEAD_S,
)
TIME_PER_TOKEN: Final = _histogram(
    "cortexd_time_per_output_token_seconds",
    "Mean time between the tokens of an answer that was served: from its first piece to its end,"
    " by the number of tokens less one.",
    "worker",
    _TOKEN_S,
)
RESUMED: Final = _counter(
    "cortexd_resumed_streams_total",
    "Answers that had begun and were carried on by another worker; `worker` is who ended it.",
    "worker",
)
ATTEMPTS: Final = _counter(
    "cortexd_upstream_attempts_total",
    "Attempts at a worker: `answered`, `abandoned` (the client left, or asked only for the model to"
    " be there), or the kind of failure. `busy`: its queue here was full, so it was not asked.",
    "worker",
    "result",
)
UPSTREAM_TTFT: Final = _histogram(
    "cortexd_upstream_time_to_first_token_seconds",
    "Time from asking a worker to the first piece of its answer.",
    "worker",
    _LATENCY_S,
)
QUEUE_WAIT: Final = _histogram(
    "cortexd_queue_wait_seconds",
    "Time for which a request waited for a slot of the worker, before it was asked.",
    "worker",
    _LATENCY_S,
)
INPUT_TOKENS: Final = _counter(
    "cortexd_input_tokens_total",
    "Tokens of prompts, as workers have reported them, or estimated where they did not.",
    "worker",
)
OUTPUT_TOKENS: Final = _counter(
    "cortexd_output_tokens_total",
    "Tokens of answers, as workers have reported them, or estimated where they did not.",
    "worker",
)
BREAKER_CHANGES: Final = _counter(
    "cortexd_breaker_changes_total",
    "Changes of a circuit breaker, by the state it went to.",
    "worker",
    "state",
)
DEAD_LETTERS: Final = _counter(
    "cortexd_dead_letters_total", "Requests that failed for good and were kept.", "door"
)
DEAD_LETTERS_DROPPED: Final = _counter(
    "cortexd_dead_letters_dropped_total",
    "Dead letters that went to make room, or because of their age.",
)
CREDENTIALS_REJECTED: Final = _counter(
    "cortexd_credentials_rejected_total",
    "Requests with a key, a token or a password that opens nothing.",
    "listener",
)
FLEET_COMMANDS: Final = _counter(
    "cortexd_fleet_commands_total",
    "Commands that this node has given to agents: `done`, `refused` by the agent, or `unanswered`.",
    "command",
    "result",
)
FLEET_COMMAND_DURATION: Final = _histogram(
    "cortexd_fleet_command_duration_seconds",
    "From a command to its answer.",
    "command",
    _LATENCY_S,
)
FLEET_REJECTED: Final = _counter(
    "cortexd_fleet_messages_rejected_total",
    "What came over the broker and could not be used, such as messages with a wrong signature.",
)
FLEET_AGENTS_LOST: Final = _counter(
    "cortexd_fleet_agents_lost_total", "How often an agent has missed its status."
)

OBSERVED: Final = (
    *(REQUESTS, REQUEST_DURATION, TTFT, OVERHEAD, TIME_PER_TOKEN, RESUMED, ATTEMPTS),
    *(UPSTREAM_TTFT, QUEUE_WAIT, INPUT_TOKENS, OUTPUT_TOKENS, BREAKER_CHANGES, DEAD_LETTERS),
    *(DEAD_LETTERS_DROPPED, CREDENTIALS_REJECTED),
    *(FLEET_COMMANDS, FLEET_COMMAND_DURATION, FLEET_REJECTED, FLEET_AGENTS_LOST),
)
"""Those that events move."""

BUILD: Final = _gauge("cortexd_build_info", "Always 1; its labels tell the build.", "version")
UPTIME: Final = _gauge("cortexd_uptime_seconds", "Time since the node started.")
IN_FLIGHT: Final = _gauge("cortexd_requests_in_flight", "Requests being answered.")
TASKS: Final = _gauge("cortexd_tasks", "Tasks in the event loop.")
LOOP_LAG: Final = _gauge(
    "cortexd_loop_lag_seconds", "How late the event loop ran what was due, lately."
)
DEGRADATION: Final = _gauge(
    "cortexd_degradation_level", "1 for the node's degradation level, 0 for the others.", "level"
)
CACHE_ENTRIES: Final = _gauge("cortexd_cache_entries", "Answers in the cache.")
CACHE_BYTES: Final = _gauge("cortexd_cache_bytes", "Memory that those answers take, about.")
CACHE_HITS: Final = _counter("cortexd_cache_hits_total", "Requests answered from the cache.")
CACHE_STALE: Final = _counter(
    "cortexd_cache_stale_total",
    "Of those, the ones whose answer had expired, and was given because the node was in need.",
)
CACHE_MISSES: Final = _counter(
    "cortexd_cache_misses_total", "Requests of the kind that is kept whose answer was not there."
)
CACHE_SHARED: Final = _counter(
    "cortexd_cache_shared_total",
    "Of the misses, those that had the answer of an equal request in progress.",
)
CACHE_L2: Final = _counter(
    "cortexd_cache_l2_looks_total",
    "Looks for an answer of other nodes, by what they brought; failed: Redis could not be asked.",
    "result",
)
CACHE_EVICTIONS: Final = _counter(
    "cortexd_cache_evictions_total", "Answers that had to make room for others."
)
RESTARTS: Final = _counter(
    "cortexd_supervision_restarts_total",
    "Restarts of a child of the supervision tree, by its place in it.",
    "child",
)
WORKER_STATUS: Final = _gauge(
    "cortexd_worker_status", "1 for the worker's status, 0 for the others.", "worker", "status"
)
WORKER_ACTIVE: Final = _gauge(
    "cortexd_worker_active", "Whether the worker may have new requests.", "worker"
)
WORKER_SCORE: Final = _gauge(
    "cortexd_worker_health_score", "How well the worker is doing, from 0 to 100.", "worker"
)
WORKER_BREAKER: Final = _gauge(
    "cortexd_worker_breaker_state",
    "1 for the state of the worker's circuit breaker, 0 for the others.",
    "worker",
    "state",
)
WORKER_KEYS: Final = _gauge(
    "cortexd_worker_keys", "The worker's API keys, by how they are doing.", "worker", "state"
)
WORKER_IN_FLIGHT: Final = _gauge(
    "cortexd_worker_in_flight", "Requests that hold a slot of the worker.", "worker"
)
WORKER_QUEUED: Final = _gauge(
    "cortexd_worker_queued", "Requests that wait for a slot of the worker.", "worker"
)
WORKER_SLOTS: Final = _gauge(
    "cortexd_worker_slots", "How many requests the worker is given at once.", "worker"
)
WORKER_CONNECTIONS: Final = _gauge(
    "cortexd_worker_connections", "Connections to the worker.", "worker", "state"
)
CONNECTIONS_OPENED: Final = _counter(
    "cortexd_worker_connections_opened_total", "Connections made to the worker.", "worker"
)
CONNECTIONS_REUSED: Final = _counter(
    "cortexd_worker_connections_reused_total",
    "Requests to the worker over a connection that was there already.",
    "worker",
)
FLEET_AGENTS: Final = _gauge(
    "cortexd_fleet_agents", "Agents that this node knows, by how they are.", "state"
)
FLEET_LINE: Final = _gauge(
    "cortexd_fleet_line_up", "Whether the fleet's broker takes messages of this node."
)

READ: Final = (
    *(BUILD, UPTIME, IN_FLIGHT, TASKS, LOOP_LAG, DEGRADATION),
    *(CACHE_ENTRIES, CACHE_BYTES, CACHE_HITS, CACHE_STALE, CACHE_MISSES),
    *(CACHE_SHARED, CACHE_L2, CACHE_EVICTIONS),
    *(RESTARTS, WORKER_STATUS, WORKER_ACTIVE, WORKER_SCORE, WORKER_BREAKER, WORKER_KEYS),
    *(WORKER_IN_FLIGHT, WORKER_QUEUED, WORKER_SLOTS),
    *(WORKER_CONNECTIONS, CONNECTIONS_OPENED, CONNECTIONS_REUSED),
    *(FLEET_AGENTS, FLEET_LINE),
)
"""Those that are read off the node when somebody asks."""
