"""Cohere's v2 API as a fake. Source: cohere-python; docs.cohere.com/v2/docs/streaming, /errors.

Reasoning before a call is what Cohere names the tool plan; any other is a thinking block.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tests.fakes.cohere_requests import ChatRequest, EmbedRequest, understand
from tests.fakes.dialect import (
    Ask,
    Complaint,
    Dialect,
    Endpoint,
    Frame,
    Received,
    bearer,
    decode,
    dump,
    event,
    vectors,
)
from tests.fakes.scene import Call, Counts, Finish, Say, Scene, Think, Trouble, halves
from tests.fakes.understood import Words, words

ID = "c14c80c3-18eb-4519-9460-6c92edd8cfb4"


class Cohere(Dialect):
    """Named events; `message-end` is the last, and `ERROR` in it makes it a failure."""

    name: ClassVar[str] = "cohere"
    # It has no word for a content filter.
    finishes: ClassVar[Mapping[Finish, str]] = {
        Finish.STOP: "COMPLETE",
        Finish.STOP_SEQUENCE: "STOP_SEQUENCE",
        Finish.LENGTH: "MAX_TOKENS",
    }
    interlude: ClassVar[bytes] = event({"type": "debug", "prompt": "…"}, name="debug")
    complaints: ClassVar[Mapping[Trouble, Complaint]] = {
        Trouble.BAD_REQUEST: Complaint(400, "invalid request"),
        Trouble.CONTEXT_TOO_LONG: Complaint(
            400, "too many tokens: total number of tokens in the request exceeds the limit of 4081"
        ),
        Trouble.BAD_KEY: Complaint(401, "invalid api token"),
        Trouble.FORBIDDEN: Complaint(403, "your API key does not have access to this endpoint"),
        Trouble.NO_MODEL: Complaint(404, "model 'm1' not found"),
        Trouble.TOO_LARGE: Complaint(413, "request entity too large"),
        Trouble.UNPROCESSABLE: Complaint(422, "unprocessable entity"),
        Trouble.RATE_LIMIT: Complaint(
            429, "You are using a Trial key, which is limited to 20 API calls / minute."
        ),
        Trouble.QUOTA: Complaint(
            402, "Please add or update your payment method, or raise your billing limit."
        ),
        Trouble.MONTHLY_QUOTA: Complaint(
            429, "You are using a Trial key, which is limited to 1000 API calls / month."
        ),
        Trouble.INVALID_TOKEN: Complaint(498, "invalid token"),
        Trouble.SERVER_ERROR: Complaint(500, "internal server error"),
        Trouble.BAD_GATEWAY: Complaint(502, "bad gateway", is_html=True),
        Trouble.OVERLOADED: Complaint(503, "service unavailable"),
        Trouble.TIMEOUT: Complaint(504, "gateway timeout"),
    }

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        return {
            "POST /v2/chat": Endpoint.CHAT,
            "POST /v2/embed": Endpoint.EMBED,
            "GET /v1/models": Endpoint.LIST,
        }.get(f"{method} {path}")

    def key(self, request: Received) -> str | None:
        return bearer(request)

    def read_chat(self, request: Received) -> Ask:
        asked = decode(request.body, ChatRequest)
        return Ask(model=asked.model, streams=asked.stream, understood=understand(asked))

    def stream(self, scene: Scene, ask: Ask) -> Iterator[Frame]:
        message = {
            "role": "assistant",
            "content": [],
            "tool_plan": "",
            "tool_calls": [],
            "citations": [],
        }
        yield _event("message-start", {"message": message}, id=ID)
        for index, part in enumerate(scene.parts):
            match part:
                case Think(pieces) if scene.calls:
                    for piece in pieces:
                        yield _event("tool-plan-delta", {"message": {"tool_plan": piece}})
                case Say(pieces):
                    yield from _block("text", pieces, index)
                case Think(pieces):
                    yield from _block("thinking", pieces, index)
                case Call():
                    yield from _call_events(part, index)
        end = {"finish_reason": self._reason(scene), "usage": _usage(scene.counts)}
        yield _event("message-end", end, id=ID)

    def whole(self, scene: Scene, ask: Ask) -> object:
        plan = scene.thought if scene.calls else ""
        thought = "" if scene.calls else scene.thought
        content = [
            *([{"type": "thinking", "thinking": thought}] if thought else []),
            *([{"type": "text", "text": scene.said}] if scene.said else []),
        ]
        message = {"role": "assistant"} | words(
            tool_plan=plan,
            tool_calls=[_call(call, dump(call.arguments).decode()) for call in scene.calls],
            content=content,
        )
        return {
            "id": ID,
            "finish_reason": self._reason(scene),
            "message": message,
            "usage": _usage(scene.counts),
        }

    def _reason(self, scene: Scene) -> str:
        if scene.calls and scene.finish is Finish.STOP:
            return "TOOL_CALL"
        return self.finishes[scene.finish]

    def error(self, complaint: Complaint, *, retry_after_s: float | None = None) -> object:
        return {"id": ID, "message": complaint.message}

    def error_frames(self, complaint: Complaint, ask: Ask) -> bytes:
        delta = {"finish_reason": "ERROR", "error": complaint.message, "usage": _usage(Counts())}
        return _event("message-end", delta, id=ID).data

    def headers(self) -> dict[str, str]:
        return {"x-debug-trace-id": "0123456789abcdef", "x-endpoint-monthly-call-limit": "1000"}

    def embed(self, request: Received) -> tuple[str, object]:
        asked = decode(request.body, EmbedRequest)
        found = vectors(asked.texts, dimensions=asked.output_dimension)
        return asked.model, {
            "id": ID,
            "texts": asked.texts,
            "embeddings": {"float": found},
            "response_type": "embeddings_by_type",
            "meta": {
                "api_version": {"version": "2"},
                "billed_units": {"input_tokens": float(len(asked.texts))},
            },
        }

    def listing(self, request: Received, models: tuple[str, ...]) -> object:
        return {
            "models": [
                {
                    "name": name,
                    "is_deprecated": False,
                    "endpoints": ["chat", "embed"],
                    "finetuned": False,
                    "context_length": 128_000.0,
                }
                for name in models
            ]
        }


def _event(kind: str, delta: Words | None = None, **more: object) -> Frame:
    document = {"type": kind} | more | ({} if delta is None else {"delta": delta})
    is_piece = kind in {"content-delta", "tool-plan-delta", "tool-call-delta"}
    return Frame(event(document, name=kind), is_piece)


def _block(kind: str, pieces: tuple[str, ...], index: int) -> Iterator[Frame]:
    start = {"message": {"content": {"type": kind, kind: ""}}}
    yield _event("content-start", start, index=index)
    for piece in pieces:
        yield _event("content-delta", {"message": {"content": {kind: piece}}}, index=index)
    yield _event("content-end", index=index)


def _call_events(call: Call, index: int) -> Iterator[Frame]:
    start = {"message": {"tool_calls": _call(call, "")}}
    yield _event("tool-call-start", start, index=index)
    for piece in halves(dump(call.arguments).decode()):
        delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
        yield _event("tool-call-delta", delta, index=index)
    yield _event("tool-call-end", index=index)


def _call(call: Call, arguments: str) -> Words:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.call_id, "type": "function", "function": function}


def _usage(counts: Counts) -> Words:
    """What is billed is not what was used; all numbers are floats."""
    return {
        "billed_units": {
            "input_tokens": float(counts.input - counts.cached),
            "output_tokens": float(counts.output),
        },
        "tokens": {"input_tokens": float(counts.input), "output_tokens": float(counts.output)},
        "cached_tokens": float(counts.cached),
    }
