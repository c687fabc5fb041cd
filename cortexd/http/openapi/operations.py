"""The endpoints of the data listener, as OpenAPI describes them."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from cortexd.http.doors.models import SIGN_OF_ANTHROPIC
from cortexd.http.openapi.json_schema import Schema, either, kind, reference
from cortexd.http.openapi.request_examples import REQUEST_EXAMPLES
from cortexd.http.openapi.responses import (
    JSON,
    OF_A_DOCUMENT,
    OF_A_MODEL,
    Response,
    answer,
    document,
    errors,
    events,
    lines,
)

Operation: TypeAlias = dict[str, Any]
Paths: TypeAlias = dict[str, dict[str, Operation]]

# Some headers are of use to every client; none can make a request to a listing wrong.
_HEADERS: Final = (
    {
        "name": "x-request-id",
        "in": "header",
        "description": "An id for logs; one that is not fit for them is replaced.",
        "schema": {"type": "string"},
        "example": "order-17.step-2",
    },
    {
        "name": "x-request-timeout",
        "in": "header",
        "description": "How many seconds the client is willing to wait: over 0, a day at most.",
        "schema": {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$"},
        "example": "30",
    },
    {
        "name": "cache-control",
        "in": "header",
        "description": "`no-cache`: the answer must be a new one. `no-store`: it must not be kept "
        "for others, either.",
        "schema": {"type": "string"},
        "example": "no-cache",
    },
    {
        "name": "idempotency-key",
        "in": "header",
        "description": "Requests of one client with the same key are one request: it runs once, "
        "and each gets its answer.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "order-17",
    },
)

_SIGN: Final = {
    "name": SIGN_OF_ANTHROPIC,
    "in": "header",
    "description": "Which version of Anthropic's API the client speaks. All of its clients send "
    "it, and where it is there, the answer has the shape that they know.",
    "schema": {"type": "string"},
    "example": "2023-06-01",
}

_MODEL: Final = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": "The name of the model. Slashes in it may stand as they are.",
    "schema": {"type": "string", "minLength": 1, "pattern": r"^[^\x00-\x1f\x7f]+$"},
    "example": "gemma3:270m",
}


def _post(
    name: str,
    about: str,
    *,
    body: str,
    responses: dict[str, Response],
    headers: Sequence[Operation] = _HEADERS,
) -> dict[str, Operation]:
    examples = {label: {"value": value} for label, value in REQUEST_EXAMPLES[body].items()}
    return {
        "post": {
            "operationId": name,
            "summary": about,
            "parameters": list(headers),
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": reference(body), "examples": examples}},
            },
            "responses": responses,
        }
    }


def _get(
    name: str,
    about: str,
    responses: dict[str, Response],
    *,
    parameters: Sequence[Operation] = (),
) -> dict[str, Operation]:
    return {
        "get": {
            "operationId": name,
            "summary": about,
            "parameters": [_HEADERS[0], *parameters],
            "responses": responses,
        }
    }


OPENAI_PATHS: Final[Paths] = {
    "/v1/chat/completions": _post(
        "createChatCompletion",
        "Chat.",
        body="OpenAiChatRequest",
        responses={
            **answer(
                "The answer.",
                reference("OpenAiChatCompletion"),
                stream=events(
                    either(reference("OpenAiChatChunk"), reference("OpenAiError")),
                    last=kind("[DONE]"),
                ),
            ),
            **errors("OpenAiError", OF_A_MODEL),
        },
    ),
    "/v1/embeddings": _post(
        "createEmbeddings",
        "Turn texts into vectors.",
        body="OpenAiEmbeddingRequest",
        responses={
            **answer("The vectors.", reference("OpenAiEmbeddings")),
            **errors("OpenAiError", OF_A_MODEL),
        },
    ),
    "/v1/models": _get(
        "listModels",
        "List the models.",
        {
            **document(
                "The models.",
                either(reference("OpenAiModelList"), reference("AnthropicModelList")),
            ),
            **errors("OpenAiError", OF_A_DOCUMENT),
        },
        parameters=(_SIGN,),
    ),
    "/v1/models/{model}": _get(
        "describeModel",
        "Describe a model.",
        {
            **document("The model.", either(reference("OpenAiModel"), reference("AnthropicModel"))),
            **errors("OpenAiError", (400, *OF_A_DOCUMENT)),
            **document(
                "Nobody serves such a model.",
                either(reference("OpenAiError"), reference("AnthropicError")),
                status=404,
            ),
        },
        parameters=(_MODEL, _SIGN),
    ),
}

ANTHROPIC_PATHS: Final[Paths] = {
    "/v1/messages": _post(
        "createMessage",
        "Chat.",
        body="AnthropicMessagesRequest",
        responses={
            **answer(
                "The answer.",
                reference("AnthropicAnswer"),
                stream=events(either(reference("AnthropicEvent"), reference("AnthropicError"))),
            ),
            **errors("AnthropicError", OF_A_MODEL),
        },
    ),
    "/v1/messages/count_tokens": _post(
        "countTokens",
        "Count the tokens of a prompt.",
        body="AnthropicTokenCountRequest",
        responses={
            **answer("The number.", reference("AnthropicTokenCount"), by_worker=False),
            **errors("AnthropicError", OF_A_MODEL),
        },
    ),
}

OLLAMA_PATHS: Final[Paths] = {
    "/api/chat": _post(
        "chat",
        "Chat.",
        body="OllamaChatRequest",
        responses={
            **answer(
                "The answer.",
                reference("OllamaChatAnswer"),
                stream=lines(reference("OllamaChatAnswer"), reference("OllamaError")),
            ),
            **errors("OllamaError", OF_A_MODEL),
        },
    ),
    "/api/generate": _post(
        "generate",
        "Answer a single question.",
        body="OllamaGenerateRequest",
        responses={
            **answer(
                "The answer.",
                reference("OllamaGenerateAnswer"),
                stream=lines(reference("OllamaGenerateAnswer"), reference("OllamaError")),
                by_worker=False,
            ),
            **errors("OllamaError", OF_A_MODEL),
        },
    ),
    "/api/embed": _post(
        "embed",
        "Turn texts into vectors.",
        body="OllamaEmbedRequest",
        responses={
            **answer("The vectors.", reference("OllamaEmbeddings")),
            **errors("OllamaError", OF_A_MODEL),
        },
    ),
    "/api/show": _post(
        "showModel",
        "Describe a model.",
        body="OllamaShowRequest",
        headers=_HEADERS[:1],
        responses={
            **document("The model.", reference("OllamaModelDescription")),
            **errors("OllamaError", (400, 404, 415, *OF_A_DOCUMENT)),
        },
    ),
    "/api/tags": _get(
        "listTags",
        "List the models.",
        {
            **document("The models.", reference("OllamaModelList")),
            **errors("OllamaError", OF_A_DOCUMENT),
        },
    ),
    "/api/ps": _get(
        "listLoadedModels",
        "List the models that are ready.",
        {
            **document("The models.", reference("OllamaLoadedModelList")),
            **errors("OllamaError", OF_A_DOCUMENT),
        },
    ),
    "/api/version": _get(
        "version",
        "Tell the version.",
        {
            **document("The version.", reference("OllamaVersion")),
            **errors("OllamaError", OF_A_DOCUMENT),
        },
    ),
}


def _probe(name: str, about: str, schema: str, *, may_fail: str | None = None) -> Any:
    told: Schema = reference(schema)
    responses = {**document("All is well.", told), **errors("OpenAiError", OF_A_DOCUMENT)}
    if may_fail is not None:
        responses |= document(may_fail, told, status=503)
    return _get(name, about, responses)


OPERATIONS_PATHS: Final[Paths] = {
    "/api/health": _probe(
        "health",
        "Tell how the node and its workers are.",
        "Health",
        may_fail="No worker is available.",
    ),
    "/livez": _probe(
        "livez",
        "Tell whether the node turns at all.",
        "Status",
        may_fail="The event loop has not turned for two seconds.",
    ),
    "/startupz": _probe(
        "startupz",
        "Tell whether the node has come up.",
        "Status",
        may_fail="A worker has not been checked yet.",
    ),
    "/readyz": _probe(
        "readyz",
        "Tell whether to send requests here.",
        "Status",
        may_fail="The node is stopping or overloaded, or has no worker that is available.",
    ),
    "/openapi.json": _get(
        "describeApi",
        "Describe this API.",
        {
            **document("This document.", {"type": "object"}),
            **errors("OpenAiError", OF_A_DOCUMENT),
        },
    ),
}
