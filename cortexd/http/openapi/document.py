"""The OpenAPI document of the data listener, put together from what each dialect says of itself."""

from typing import Any, Final

from cortexd.http.openapi.anthropic_answers import ANTHROPIC_ANSWER_SCHEMAS
from cortexd.http.openapi.anthropic_requests import ANTHROPIC_REQUEST_SCHEMAS
from cortexd.http.openapi.json_schema import Schema, growing, word
from cortexd.http.openapi.ollama_answers import OLLAMA_ANSWER_SCHEMAS
from cortexd.http.openapi.ollama_requests import OLLAMA_REQUEST_SCHEMAS
from cortexd.http.openapi.openai_answers import OPENAI_ANSWER_SCHEMAS
from cortexd.http.openapi.openai_requests import OPENAI_REQUEST_SCHEMAS
from cortexd.http.openapi.operations import (
    ANTHROPIC_PATHS,
    OLLAMA_PATHS,
    OPENAI_PATHS,
    OPERATIONS_PATHS,
    Paths,
)
from cortexd.http.openapi.responses import ERROR_SCHEMAS
from cortexd.http.openapi.shared_requests import SHARED_SCHEMAS
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.health import NodeStatus, WorkerState

_ABOUT: Final = """\
One address in front of every model server you run. It speaks the dialects of OpenAI, Ollama and \
Anthropic, and each of them reaches every worker.

Requests are read strictly: a member that is not known, stands twice, or has a value of the wrong \
type is an error that names it, and never dropped. Arrays and objects nest at most 64 levels deep, \
and integers reach to 2^53. What this document cannot say stands in its descriptions.

Every response has the header `x-request-id`. At an address that is not among these, the status is \
404; for a method that is not, 405 with the header `allow`. Requests that are no proper HTTP get \
400, 414, 417, 431, 501 or 505. All of these have the error of the dialect that the path \
belongs to.
"""

_PARTS: Final[dict[str, tuple[str, Paths]]] = {
    "OpenAI": (
        "The dialect of OpenAI. Its lists of models can also be had in Anthropic's.",
        OPENAI_PATHS,
    ),
    "Anthropic": ("The dialect of Anthropic.", ANTHROPIC_PATHS),
    "Ollama": (
        "The dialect of Ollama. A body is also taken with the content type that `curl -d` sends.",
        OLLAMA_PATHS,
    ),
    "Operations": ("For who runs a node.", OPERATIONS_PATHS),
}
"""The parts of the API: what each is, and its endpoints."""

_PROBE_WORDS: Final = ("alive", "stalled", "starting", "started", "draining", "overloaded")

_NODE_STATUS: Final = word("How the node is.", *(status.value for status in NodeStatus))

_PROBE_SCHEMAS: Final[dict[str, Schema]] = {
    "Health": growing(
        "The node and each of its workers.",
        {
            "status": _NODE_STATUS,
            "degradation_level": word(
                "How far the node has fallen.", *(level.value for level in DegradationLevel)
            ),
            "timestamp": {"type": "string", "format": "date-time"},
            "uptime_seconds": {"type": "number", "minimum": 0},
            "workers": {
                "type": "object",
                "description": "How each worker is, by its name.",
                "additionalProperties": word("", *(state.value for state in WorkerState)),
            },
            "reasons": {
                "type": "object",
                "description": "Why a worker is unavailable, by its name.",
                "additionalProperties": {"type": "string"},
            },
        },
        required=[
            "status",
            "degradation_level",
            "timestamp",
            "uptime_seconds",
            "workers",
            "reasons",
        ],
    ),
    "Status": growing(
        "One word.",
        {
            "status": word("", *_PROBE_WORDS, *(status.value for status in NodeStatus)),
            "loop_lag_ms": {
                "type": "number",
                "minimum": 0,
                "description": "How late the event loop was at worst in the last seconds.",
            },
            "reason": {"type": "string", "description": "What the node is short of."},
        },
        required=["status"],
    ),
}


def openapi_document(version: str) -> dict[str, Any]:
    """The whole document. `version`: that of cortexd."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "cortexd",
            "version": version,
            "summary": "A gateway to language models.",
            "description": _ABOUT,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, (about, _) in _PARTS.items()],
        "paths": {
            path: {method: {"tags": [name], **operation} for method, operation in item.items()}
            for name, (_, paths) in _PARTS.items()
            for path, item in paths.items()
        },
        "components": {
            "schemas": {
                **OPENAI_REQUEST_SCHEMAS,
                **OPENAI_ANSWER_SCHEMAS,
                **ANTHROPIC_REQUEST_SCHEMAS,
                **ANTHROPIC_ANSWER_SCHEMAS,
                **OLLAMA_REQUEST_SCHEMAS,
                **OLLAMA_ANSWER_SCHEMAS,
                **SHARED_SCHEMAS,
                **ERROR_SCHEMAS,
                **_PROBE_SCHEMAS,
            }
        },
    }
