"""OpenAI's chat completions as a fake. Source: openai-python; the guide to error codes."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tests.fakes.dialect import (
    Ask,
    BadRequest,
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
from tests.fakes.openai_requests import ChatRequest, EmbedRequest, understand
from tests.fakes.scene import Call, Counts, Finish, Say, Scene, Think, Trouble, halves
from tests.fakes.understood import Words, words

CREATED = 1_788_000_000
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
DONE = b"data: [DONE]\n\n"


class OpenAi(Dialect):
    """Chunks of a choice; a chunk of usage where it was asked for; `[DONE]`.

    Reasoning goes into `reasoning_content`, as vLLM, llama.cpp and others have it: OpenAI itself
    never shows it.
    """

    name: ClassVar[str] = "openai"
    prefix: ClassVar[str] = "/v1"
    reasoning_member: ClassVar[str] = "reasoning_content"
    request_type: ClassVar[type[ChatRequest]] = ChatRequest
    # It does not tell a stop sequence from an end.
    finishes: ClassVar[Mapping[Finish, str]] = {
        Finish.STOP: "stop",
        Finish.STOP_SEQUENCE: "stop",
        Finish.LENGTH: "length",
        Finish.CONTENT_FILTER: "content_filter",
    }
    interlude: ClassVar[bytes] = b": keep-alive\n\n" + event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": "m1",
            "choices": [{"index": 0, "delta": {}, "finish_reason": None}],
        }
    )
    complaints: ClassVar[Mapping[Trouble, Complaint]] = {
        Trouble.BAD_REQUEST: Complaint(400, "bad request", "invalid_request_error"),
        Trouble.CONTEXT_TOO_LONG: Complaint(
            400,
            "This model's maximum context length is 8192 tokens.",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        Trouble.BAD_KEY: Complaint(
            401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"
        ),
        Trouble.FORBIDDEN: Complaint(
            403,
            "Country, region, or territory not supported",
            "request_forbidden",
            "unsupported_country_region_territory",
        ),
        Trouble.NO_MODEL: Complaint(
            404, "The model does not exist.", "invalid_request_error", "model_not_found"
        ),
        Trouble.TOO_LARGE: Complaint(413, "Request too large.", "invalid_request_error"),
        Trouble.UNPROCESSABLE: Complaint(422, "Unprocessable.", "invalid_request_error"),
        Trouble.RATE_LIMIT: Complaint(
            429, "Rate limit reached for requests.", "requests", "rate_limit_exceeded"
        ),
        Trouble.QUOTA: Complaint(
            429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"
        ),
        Trouble.SERVER_ERROR: Complaint(500, "The server had an error.", "server_error"),
        Trouble.BAD_GATEWAY: Complaint(502, "bad gateway", is_html=True),
        Trouble.OVERLOADED: Complaint(
            503, "The server is overloaded.", "server_error", "server_is_overloaded"
        ),
        Trouble.TIMEOUT: Complaint(504, "Gateway time-out.", "server_error"),
    }

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        return {
            f"POST {self.prefix}/chat/completions": Endpoint.CHAT,
            f"POST {self.prefix}/embeddings": Endpoint.EMBED,
            f"GET {self.prefix}/models": Endpoint.LIST,
        }.get(f"{method} {path}")

    def key(self, request: Received) -> str | None:
        return bearer(request)

    def read_chat(self, request: Received) -> Ask:
        asked = decode(request.body, self.request_type)
        self.check(asked)
        shown = asked.stream_options is not None and asked.stream_options.include_usage
        return Ask(
            model=asked.model,
            streams=bool(asked.stream),
            understood=understand(asked),
            options=frozenset({"usage"} if shown else ()),
        )

    def check(self, asked: ChatRequest) -> None:
        """What else this provider refuses. Raises `BadRequest`."""
        if asked.reasoning_effort not in {None, *EFFORTS}:
            raise BadRequest(f"reasoning_effort must be one of {', '.join(EFFORTS)}")

    def stream(self, scene: Scene, ask: Ask) -> Iterator[Frame]:
        yield Frame(self.chunk(ask, {"role": "assistant", "content": ""}, **self.first()))
        index = 0
        for part in scene.parts:
            match part:
                case Say(pieces):
                    for piece in pieces:
                        yield Frame(self.chunk(ask, {"content": piece}), is_piece=True)
                case Think(pieces):
                    for piece in pieces:
                        delta = {self.reasoning_member: piece}
                        yield Frame(self.chunk(ask, delta), is_piece=True)
                case Call():
                    yield from self._call(part, index, ask)
                    index += 1
        yield Frame(self.chunk(ask, {}, reason=self.reason(scene), **self.last(scene)))
        if "usage" in ask.options:
            usage = self.usage(scene.counts)
            yield Frame(event(self.head(ask, "chat.completion.chunk", []) | {"usage": usage}))
        yield Frame(DONE)

    def whole(self, scene: Scene, ask: Ask) -> object:
        calls = [_whole_call(call) for call in scene.calls]
        message = {"role": "assistant", "content": scene.said or None, "refusal": None}
        message |= words(tool_calls=calls) | words(**{self.reasoning_member: scene.thought})
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": self.reason(scene),
            "logprobs": None,
        }
        usage = {"usage": self.usage(scene.counts)}
        return self.head(ask, "chat.completion", [choice]) | usage

    def reason(self, scene: Scene) -> str:
        """The word for the end; calls are a reason of their own."""
        if scene.calls and scene.finish is Finish.STOP:
            return "tool_calls"
        return self.finishes[scene.finish]

    def usage(self, counts: Counts) -> Words:
        """The tokens used."""
        return {
            "prompt_tokens": counts.input,
            "completion_tokens": counts.output,
            "total_tokens": counts.input + counts.output,
            "prompt_tokens_details": {"cached_tokens": counts.cached},
            "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
        }

    def first(self) -> Words:
        """What else stands in the first chunk."""
        return {}

    def last(self, scene: Scene) -> Words:
        """What else stands in the chunk that says why it ends."""
        return {}

    def error(self, complaint: Complaint, *, retry_after_s: float | None = None) -> object:
        return {
            "error": {
                "message": complaint.message,
                "type": complaint.kind,
                "param": None,
                "code": complaint.code,
            }
        }

    def error_frames(self, complaint: Complaint, ask: Ask) -> bytes:
        return event(self.error(complaint))

    def error_headers(
        self, complaint: Complaint, *, retry_after_s: float | None = None
    ) -> dict[str, str]:
        if retry_after_s is None:
            return {}
        milliseconds = str(round(retry_after_s * 1000))
        return {"retry-after": f"{retry_after_s:g}", "retry-after-ms": milliseconds}

    def headers(self) -> dict[str, str]:
        return {
            "x-request-id": "req_1",
            "x-ratelimit-limit-requests": "500",
            "x-ratelimit-remaining-requests": "499",
            "x-ratelimit-reset-requests": "120ms",
            "x-ratelimit-limit-tokens": "200000",
            "x-ratelimit-remaining-tokens": "199000",
            "x-ratelimit-reset-tokens": "6m0s",
        }

    def embed(self, request: Received) -> tuple[str, object]:
        asked = decode(request.body, EmbedRequest)
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        found = vectors(texts, dimensions=asked.dimensions)
        return asked.model, {
            "object": "list",
            "model": asked.model,
            "data": [
                {"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(found)
            ],
            "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)},
        }

    def listing(self, request: Received, models: tuple[str, ...]) -> object:
        entries = [
            {"id": name, "object": "model", "created": CREATED, "owned_by": self.name}
            for name in models
        ]
        return {"object": "list", "data": entries}

    def _call(self, call: Call, index: int, ask: Ask) -> Iterator[Frame]:
        first = _whole_call(call, arguments="") | {"index": index}
        yield Frame(self.chunk(ask, {"tool_calls": [first]}))
        for piece in halves(dump(call.arguments).decode()):
            delta = {"index": index, "function": {"arguments": piece}}
            yield Frame(self.chunk(ask, {"tool_calls": [delta]}), is_piece=True)

    def chunk(self, ask: Ask, delta: Words, reason: str | None = None, **more: Any) -> bytes:
        """One chunk of the one choice."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if "usage" in ask.options else {}
        return event(self.head(ask, "chat.completion.chunk", [choice]) | usage | more)

    def head(self, ask: Ask, kind: str, choices: list[Words]) -> Words:
        """What all chunks have, and the whole answer as well."""
        return {
            "id": "chatcmpl-1",
            "object": kind,
            "created": CREATED,
            "model": ask.model,
            "system_fingerprint": "fp_1",
            "choices": choices,
        }


def _whole_call(call: Call, arguments: str | None = None) -> Words:
    text = dump(call.arguments).decode() if arguments is None else arguments
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": text},
    }
