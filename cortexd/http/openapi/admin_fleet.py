"""The fleet in the admin listener's OpenAPI document: its operations and its answers."""

from typing import Final, TypeAlias

from cortexd.domain.fleet import Verb
from cortexd.http.openapi.admin_words import (
    COUNT,
    FLAG,
    MAYBE_COUNT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MOMENT,
    NUMBER,
    SECONDS,
    TEXT,
    Operation,
    answer,
    in_body,
    in_path,
    in_query,
    listing,
    many,
    operation,
    whole,
)
from cortexd.http.openapi.json_schema import Schema, closed, reference, word
from cortexd.policy.fleet import AgentState

Paths: TypeAlias = dict[str, dict[str, Operation]]

_AGENT: Final = in_path("name", "The agent's name.", "gpu-1")
_CURSOR: Final = {"type": "string", "pattern": "^[0-9]{1,15}$"}

FLEET_PATHS: Final[Paths] = {
    "/admin/fleet": {
        "get": operation(
            "getFleet",
            "Show the agents beside remote model servers, and their workers.",
            answer("The document.", reference("Fleet")),
        )
    },
    "/admin/fleet/activity": {
        "get": operation(
            "listFleetActivity",
            "Show what has become of agents and workers, newest first.",
            answer("The document.", reference("FleetActivities")),
            may_be=(503,),
            takes=[
                in_query("agent", "Of this agent alone.", TEXT),
                in_query("since", "From when on, in seconds since the epoch.", SECONDS),
                in_query(
                    "limit",
                    "How many a page has at most.",
                    {"type": "integer", "minimum": 1, "maximum": 1000},
                ),
                in_query("cursor", "`next_cursor` of the page before.", _CURSOR),
            ],
        )
    },
    **{
        f"/admin/fleet/agents/{{name}}/{action}": {
            "post": operation(
                f"{action}Agent",
                about,
                answer("It has answered.", reference("FleetCommandDone")),
                may_be=(404, 409, 415, 503, 504),
                takes=[_AGENT, in_body("FleetCommandWish")],
            )
        }
        for action, about in (
            ("activate", "Let an agent's workers have new requests, on all nodes."),
            ("deactivate", "Give an agent's workers no new requests; those in flight go on."),
            ("drain", "Take an agent's workers out of all nodes, once they are done."),
            ("ping", "See how soon an agent answers."),
        )
    },
}

FLEET_SCHEMAS: Final[dict[str, Schema]] = {
    "Fleet": whole(
        "The fleet.",
        {
            "enabled": FLAG,
            "broker": whole(
                "How the line to RabbitMQ stands; `blocked`: the broker takes nothing now.",
                {"up": FLAG, "blocked": FLAG, "failure": MAYBE_TEXT},
            ),
            "demonstration": whole(
                "Whether agents are switched on and off in turns.",
                {"enabled": FLAG, "period_seconds": MAYBE_NUMBER},
            ),
            "agents": many(reference("Agent")),
        },
    ),
    "Agent": whole(
        "An agent. `load`: of its host, 1 being all processors busy.",
        {
            "name": TEXT,
            "version": TEXT,
            "state": word("", *(state.value for state in AgentState)),
            "registered_at": MOMENT,
            "last_status_at": MOMENT,
            "status_period_seconds": NUMBER,
            "activity": COUNT,
            "load": NUMBER,
            "commands": whole(
                "What this node has told it, and how long it took to answer.",
                {
                    "sent": COUNT,
                    "answered": COUNT,
                    "failed": COUNT,
                    "response_ms": whole(
                        "Of the last hundred; `null` where there are none.",
                        {"last": MAYBE_NUMBER, "p50": MAYBE_NUMBER, "p95": MAYBE_NUMBER},
                    ),
                },
            ),
            "workers": many(reference("AgentWorker")),
        },
    ),
    "AgentWorker": whole(
        "A worker of an agent, under the agent's name for it. `activity`: in how many status "
        "periods it was of use. `reachable`: its server takes connections from beside it. "
        "`taken_on`: this node has it among its workers; the events say why not.",
        {
            "name": TEXT,
            "type": MAYBE_TEXT,
            "active": FLAG,
            "drained": FLAG,
            "reachable": FLAG,
            "taken_on": FLAG,
            "in_flight": COUNT,
            "activity": COUNT,
        },
    ),
    "FleetCommandWish": closed("With which worker; left out: with all.", {"worker": TEXT}),
    "FleetCommandDone": whole(
        "A command that was carried out.",
        {
            "command_id": TEXT,
            "command": word("", *(verb.value for verb in Verb if verb is not Verb.ROLL_CALL)),
            "agent": TEXT,
            "answered": FLAG,
            "response_ms": NUMBER,
        },
    ),
    "FleetActivity": whole(
        "Something that has become of an agent or a worker.",
        {
            "at": MOMENT,
            "agent": TEXT,
            "worker": MAYBE_TEXT,
            "what": TEXT,
            "activity": MAYBE_COUNT,
        },
    ),
    "FleetActivities": listing("FleetActivity"),
}
