"""The endpoints of the admin listener, as OpenAPI describes them."""

from typing import Any, Final, TypeAlias

from cortexd.http.openapi.admin_cluster import CLUSTER_PATHS
from cortexd.http.openapi.admin_fleet import FLEET_PATHS
from cortexd.http.openapi.admin_load_monitor import LOAD_MONITOR_PATHS
from cortexd.http.openapi.admin_words import (
    SECONDS,
    TEXT,
    Operation,
    answer,
    in_body,
    in_path,
    in_query,
    operation,
    whole,
)
from cortexd.http.openapi.json_schema import reference

Paths: TypeAlias = dict[str, dict[str, Operation]]

_WORKER: Final = in_path("name", "The worker's name.", "talker")
_ID: Final = in_path("id", "The id, as lists have it.", "x1")
_ALERT: Final = in_path("alert_id", "The alert's id.", "x1")
_CURSOR: Final = in_query("cursor", "`next_cursor` of the page before.", TEXT)


def _shown(schema: str, about: str = "The document.") -> dict[str, Any]:
    return answer(about, reference(schema))


def _limit(most: int) -> Operation:
    schema = {"type": "integer", "minimum": 1, "maximum": most}
    return in_query("limit", "How many a page has at most.", schema)


_NODE_PATHS: Final[Paths] = {
    "/admin/dashboard": {
        "get": operation("getDashboard", "Show everything at once.", _shown("Dashboard"))
    },
    "/admin/tree": {"get": operation("getTree", "Show the tree.", _shown("MaybeTree"))},
    "/admin/health": {
        "get": operation(
            "getHealth",
            "Show how the node is.",
            _shown("NodeHealth") | answer("It cannot serve.", reference("NodeHealth"), status=503),
            takes=[
                in_query(
                    "detailed", "With all there is.", {"type": "string", "enum": ["true", "false"]}
                )
            ],
        )
    },
    "/admin/health/history": {
        "get": operation("listHealthChecks", "Show the last checks.", _shown("HealthChecks"))
    },
    "/admin/events": {
        "get": operation(
            "followEvents",
            "Follow the events as they happen. Each has an id; who comes back with it as "
            "`Last-Event-ID` goes on from there, or is told of a `gap`.",
            answer(
                "A stream that ends when the node stops.",
                whole("An event.", {"event": TEXT, "data": TEXT}),
                kind="text/event-stream",
            ),
            may_be=(503,),
            takes=[in_query("kinds", "Which ones, with commas between.", TEXT)],
        )
    },
    "/admin/requests": {
        "get": operation("listRequests", "Show the latest requests.", _shown("Exchanges"))
    },
    "/admin/config": {
        "get": operation(
            "getConfiguration",
            "Show what the node goes by.",
            _shown("Configuration"),
        )
    },
    "/admin/reload": {
        "post": operation(
            "reload",
            "Read the configuration again: all of it is taken up, or nothing changes.",
            _shown("Reloaded")
            | answer("The file cannot be used.", reference("ReloadRefused"), status=422),
            may_be=(503,),
        )
    },
    "/admin/cache": {"get": operation("getCache", "Show the cache.", _shown("Cache"))},
    "/admin/cache/purge": {"post": operation("purgeCache", "Empty the cache.", _shown("Purged"))},
    "/metrics": {
        "get": operation(
            "getMetrics",
            "Let Prometheus collect the metrics.",
            answer("OpenMetrics or Prometheus text.", TEXT, kind="text/plain")
            | answer("OpenMetrics or Prometheus text.", TEXT, kind="text/plain"),
        )
    },
    "/admin/metrics/history": {
        "get": operation(
            "getCharts",
            "Show what charts are drawn from.",
            _shown("Charts"),
            takes=[
                in_query("series", "Which ones, with commas between; left out: all.", TEXT),
                in_query("since", "From when on, in seconds since the epoch.", SECONDS),
                in_query("step", "How far apart points are, in seconds.", SECONDS),
            ],
        )
    },
}

_WORKER_PATHS: Final[Paths] = {
    "/admin/workers": {
        "get": operation("listWorkers", "Show all workers.", _shown("Workers")),
        "post": operation(
            "addWorker",
            "Take on a worker until the node restarts.",
            answer("It can have requests.", reference("Worker"), status=201)
            | answer("It cannot be added.", reference("WorkerInvalid"), status=422),
            may_be=(409, 415, 503),
            takes=[in_body("NewWorker")],
        ),
    },
    "/admin/workers/{name}": {
        "get": operation(
            "getWorker", "Show a worker.", _shown("Worker"), may_be=(404,), takes=[_WORKER]
        ),
        "delete": operation(
            "removeWorker",
            "Let a worker go when what it is answering has ended.",
            answer("It gets nothing new.", reference("WorkerLeaves"), status=202),
            may_be=(404, 503),
            takes=[_WORKER],
        ),
    },
    **{
        f"/admin/workers/{{name}}/{action}": {
            "post": operation(
                f"{action}Worker", about, _shown("Worker"), may_be=may_be, takes=[_WORKER]
            )
        }
        for action, about, may_be in (
            ("activate", "Let a worker have new requests.", (404, 503)),
            ("deactivate", "Give a worker no new requests.", (404, 503)),
            ("check", "Probe a worker now, and wait for the verdict.", (404, 503, 504)),
        )
    },
    "/admin/breakers": {
        "get": operation("listBreakers", "Show the circuit breakers.", _shown("Breakers"))
    },
    "/admin/breakers/{name}/reset": {
        "post": operation(
            "resetBreaker",
            "Close a circuit breaker and forget its counts.",
            _shown("Breaker"),
            may_be=(404, 503),
            takes=[_WORKER],
        )
    },
}

_MATTER_PATHS: Final[Paths] = {
    "/admin/degradation": {
        "get": operation("getLevel", "Show the level.", _shown("Degradation")),
        "put": operation(
            "setLevel",
            "Force a level, or let it follow.",
            _shown("Degradation"),
            may_be=(415, 503),
            takes=[in_body("LevelWish")],
        ),
    },
    "/admin/alerts": {
        "get": operation(
            "listAlerts",
            "Show the alerts.",
            _shown("Alerts"),
            takes=[
                in_query(
                    "state",
                    "Those in this state alone.",
                    {
                        "type": "string",
                        "enum": ["pending", "firing", "acknowledged", "resolved"],
                    },
                )
            ],
        )
    },
    "/admin/alerts/{alert_id}/acknowledge": {
        "post": operation(
            "acknowledgeAlert",
            "Say that somebody sees to it.",
            _shown("Alert"),
            may_be=(404, 409, 503),
            takes=[_ALERT],
        )
    },
    "/admin/dlq": {
        "get": operation(
            "listDeadLetters",
            "Show the dead letters, newest first.",
            _shown("DeadLetters"),
            may_be=(503,),
            takes=[
                _limit(200),
                _CURSOR,
                in_query("error", "Those with this error alone.", TEXT),
            ],
        )
    },
    "/admin/dlq/purge": {
        "post": operation(
            "purgeDeadLetters",
            "Throw dead letters away.",
            _shown("Purged"),
            may_be=(415, 503),
            takes=[in_body("PurgeWish")],
        )
    },
    "/admin/dlq/{id}": {
        "get": operation(
            "getDeadLetter",
            "Show a dead letter with its request.",
            _shown("DeadLetter"),
            may_be=(404, 503),
            takes=[_ID],
        ),
        "delete": operation(
            "deleteDeadLetter",
            "Throw a dead letter away.",
            _shown("Deleted"),
            may_be=(404, 409, 503),
            takes=[_ID],
        ),
    },
    "/admin/dlq/{id}/retry": {
        "post": operation(
            "retryDeadLetter",
            "Run the request again, and keep the answer.",
            _shown("DeadLetter"),
            may_be=(404, 409, 503),
            takes=[_ID],
        )
    },
}

_ACCESS_PATHS: Final[Paths] = {
    "/admin/keys": {
        "get": operation(
            "listKeys",
            "Show the keys of clients.",
            _shown("ClientKeys"),
            takes=[_limit(1000), _CURSOR],
        ),
        "post": operation(
            "createKey",
            "Make a key for a client.",
            answer("The key, this once.", reference("NewClientKey"), status=201),
            may_be=(409, 415, 503),
            takes=[in_body("ClientKeyWish")],
        ),
    },
    "/admin/keys/{id}": {
        "delete": operation(
            "revokeKey",
            "Have a key open nothing any more.",
            _shown("ClientKey"),
            may_be=(404, 503),
            takes=[_ID],
        )
    },
    "/admin/login": {
        "post": operation(
            "login",
            "Open a session, whose cookie comes with the answer.",
            _shown("Session"),
            may_be=(415,),
            takes=[in_body("Login")],
        )
    },
    "/admin/logout": {"post": operation("logout", "End the session.", _shown("LoggedOut"))},
    "/admin/session": {
        "get": operation("getSession", "Show the token of the session.", _shown("Session"))
    },
    "/admin/chat": {
        "post": operation(
            "adminChat",
            "Chat in OpenAI's dialect: see `/v1/chat/completions` of the data listener.",
            answer("As there.", {"type": "object"}),
            may_be=(404, 415, 422, 503, 504),
        )
    },
    "/admin/openapi.json": {
        "get": operation(
            "getAdminOpenapi", "Show this document.", answer("It.", {"type": "object"})
        )
    },
}

ADMIN_PARTS: Final[dict[str, tuple[str, Paths]]] = {
    "Node": ("How the node is, and what it goes by.", _NODE_PATHS),
    "Load": ("How it does under a test.", LOAD_MONITOR_PATHS),
    "Workers": ("Who answers.", _WORKER_PATHS),
    "Fleet": ("The agents beside remote model servers.", FLEET_PATHS),
    "Cluster": ("Who else is there.", CLUSTER_PATHS),
    "Matters": ("What needs a person.", _MATTER_PATHS),
    "Access": ("Who may do what.", _ACCESS_PATHS),
}
