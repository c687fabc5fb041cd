"""Ollama's own API as a fake. Source: ollama/ollama `api/types.go`, `server/routes.go`, docs/api.

The real server ignores members it does not know; here they are refused, since they would do
nothing. It needs no key; its cloud does: `fake.keys = {"a-key"}`.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from tests.fakes.dialect import (
    Ask,
    BadRequest,
    Complaint,
    Dialect,
    Endpoint,
    Frame,
    Received,
    Strict,
    bearer,
    decode,
    dump,
    vectors,
)
from tests.fakes.scene import Call, Finish, Say, Scene, Think, Trouble
from tests.fakes.understood import Words, plain, read_base64, words

WHEN = "2026-09-01T12:00:00.000000Z"


class CalledFunction(Strict):
    """Arguments are an object here, not a text."""

    name: str
    arguments: dict[str, Any]
    index: int | None = None


class ToolCall(Strict):
    """A call of an earlier turn."""

    function: CalledFunction
    id: str | None = None


class Message(Strict):
    """One turn. `images` are bare base64."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class Function(Strict):
    """What a tool does."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(Strict):
    """A tool."""

    type: Literal["function"]
    function: Function


class Options(Strict):
    """What shapes the generation; `num_predict` bounds its length."""

    num_ctx: int | None = None
    num_keep: int | None = None
    num_predict: int | None = None
    num_gpu: int | None = None
    num_thread: int | None = None
    repeat_last_n: int | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    temperature: Annotated[float, Meta(ge=0)] | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: list[str] | None = None


class ChatRequest(Strict):
    """POST /api/chat."""

    model: Annotated[str, Meta(min_length=1)]
    messages: list[Message]
    stream: bool = True
    format: Literal["json", ""] | dict[str, Any] | None = None
    keep_alive: str | float | None = None
    tools: list[Tool] | None = None
    options: Options = msgspec.field(default_factory=Options)
    think: bool | Literal["low", "medium", "high"] | None = None
    truncate: bool | None = None
    shift: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None


class EmbedRequest(Strict):
    """POST /api/embed."""

    model: Annotated[str, Meta(min_length=1)]
    input: str | list[str]
    truncate: bool | None = None
    options: Options | None = None
    keep_alive: str | float | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None


class ShowRequest(Strict):
    """POST /api/show."""

    model: str
    verbose: bool | None = None


class Ollama(Dialect):
    """Lines of JSON; the last one says `done`."""

    name: ClassVar[str] = "ollama"
    keys: ClassVar[frozenset[str]] = frozenset()
    stream_type: ClassVar[str] = "application/x-ndjson"
    # It does not tell a stop sequence from an end.
    finishes: ClassVar[Mapping[Finish, str]] = {
        Finish.STOP: "stop",
        Finish.STOP_SEQUENCE: "stop",
        Finish.LENGTH: "length",
    }
    interlude: ClassVar[bytes] = (
        dump(
            {
                "model": "m1",
                "created_at": WHEN,
                "message": {"role": "assistant", "content": ""},
                "done": False,
            }
        )
        + b"\n"
    )
    complaints: ClassVar[Mapping[Trouble, Complaint]] = {
        Trouble.BAD_REQUEST: Complaint(400, "invalid request"),
        Trouble.CONTEXT_TOO_LONG: Complaint(400, "input length exceeds maximum context length"),
        Trouble.BAD_KEY: Complaint(401, "unauthorized"),
        Trouble.FORBIDDEN: Complaint(403, "this model requires a subscription"),
        Trouble.NO_MODEL: Complaint(404, "model 'm1' not found"),
        Trouble.TOO_LARGE: Complaint(413, "request body too large"),
        Trouble.UNPROCESSABLE: Complaint(422, "unprocessable"),
        Trouble.RATE_LIMIT: Complaint(429, "too many requests"),
        Trouble.QUOTA: Complaint(402, "you have reached your weekly usage limit"),
        Trouble.SERVER_ERROR: Complaint(500, "model runner has unexpectedly stopped"),
        Trouble.BAD_GATEWAY: Complaint(502, "upstream error"),
        Trouble.OVERLOADED: Complaint(
            503, "server busy, please try again.  maximum pending requests exceeded"
        ),
        Trouble.TIMEOUT: Complaint(504, "timed out waiting for llama runner to start"),
    }

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        return {
            "POST /api/chat": Endpoint.CHAT,
            "POST /api/embed": Endpoint.EMBED,
            "POST /api/show": Endpoint.LIST,
            "GET /api/tags": Endpoint.LIST,
            "GET /api/ps": Endpoint.LIST,
            "GET /api/version": Endpoint.LIST,
        }.get(f"{method} {path}")

    def key(self, request: Received) -> str | None:
        return bearer(request)

    def read_chat(self, request: Received) -> Ask:
        asked = decode(request.body, ChatRequest)
        if not asked.messages:
            raise BadRequest("no messages: that only loads the model")
        options = asked.options
        system = [message.content for message in asked.messages if message.role == "system"]
        tools = [tool.function for tool in asked.tools or ()]
        understood = words(
            model=asked.model,
            stream=asked.stream or None,
            system="\n".join(system),
            messages=list(_messages(asked.messages)),
            tools=[words(**plain(function)) for function in tools],
            output={"schema": asked.format} if isinstance(asked.format, dict) else asked.format,
            max_tokens=options.num_predict,
            stop=options.stop,
            temperature=options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            seed=options.seed,
            frequency_penalty=options.frequency_penalty,
            presence_penalty=options.presence_penalty,
            reasoning=asked.think,
            logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
        )
        return Ask(model=asked.model, streams=asked.stream, understood=understood)

    def stream(self, scene: Scene, ask: Ask) -> Iterator[Frame]:
        index = 0
        for part in scene.parts:
            match part:
                case Say(pieces):
                    for piece in pieces:
                        yield _line(ask, {"content": piece})
                case Think(pieces):
                    for piece in pieces:
                        yield _line(ask, {"content": "", "thinking": piece})
                case Call():
                    yield _line(ask, {"content": "", "tool_calls": [_call(part, index)]})
                    index += 1
        message = {"role": "assistant", "content": ""}
        yield Frame(dump(self._last(scene, ask, message)) + b"\n")

    def whole(self, scene: Scene, ask: Ask) -> object:
        calls = [_call(call, index) for index, call in enumerate(scene.calls)]
        message = words(thinking=scene.thought, tool_calls=calls)
        return self._last(scene, ask, {"role": "assistant", "content": scene.said} | message)

    def _last(self, scene: Scene, ask: Ask, message: Words) -> Words:
        # A count of zero is left out: the prompt was in the cache.
        fresh = scene.counts.input - scene.counts.cached
        return _head(ask, message) | words(
            done=True,
            done_reason=self.finishes[scene.finish],
            total_duration=900_000_000,
            load_duration=1_000_000,
            prompt_eval_count=fresh or None,
            prompt_eval_duration=2_000_000,
            eval_count=scene.counts.output or None,
            eval_duration=3_000_000,
        )

    def error(self, complaint: Complaint, *, retry_after_s: float | None = None) -> object:
        return {"error": complaint.message}

    def error_frames(self, complaint: Complaint, ask: Ask) -> bytes:
        return dump(self.error(complaint)) + b"\n"

    def embed(self, request: Received) -> tuple[str, object]:
        asked = decode(request.body, EmbedRequest)
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        return asked.model, {
            "model": asked.model,
            "embeddings": vectors(texts, dimensions=asked.dimensions),
            "total_duration": 1_000_000,
            "load_duration": 1_000,
            "prompt_eval_count": len(texts),
        }

    def listing(self, request: Received, models: tuple[str, ...]) -> object:
        if request.path == "/api/version":
            return {"version": "0.12.3"}
        if request.path == "/api/show":
            decode(request.body, ShowRequest)
            return {"details": _DETAILS, "model_info": {}, "capabilities": ["completion", "tools"]}
        return {
            "models": [
                {
                    "name": name,
                    "model": name,
                    "modified_at": WHEN,
                    "size": 1_000_000,
                    "digest": "ab" * 32,
                    "details": _DETAILS,
                }
                for name in models
            ]
        }


_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "1B",
    "quantization_level": "Q4_K_M",
}


def _messages(messages: list[Message]) -> Iterator[Words]:
    called: list[tuple[str | None, str]] = []
    for message in messages:
        if message.role == "system":
            continue
        calls = message.tool_calls or []
        called += [(call.id, call.function.name) for call in calls]
        yield words(
            role=message.role,
            text=message.content,
            thought=message.thinking,
            images=[read_base64(image) for image in message.images or ()],
            calls=[
                words(id=call.id, name=call.function.name) | {"arguments": call.function.arguments}
                for call in calls
            ],
            **(_result(message, called) if message.role == "tool" else {}),
        )


def _result(message: Message, called: list[tuple[str | None, str]]) -> Words:
    """The real server does not look; but a result that nobody asked for is nobody's wish."""
    for call_id, name in called:
        if message.tool_call_id in (None, call_id) and message.tool_name in (None, name):
            if message.tool_name is None and message.tool_call_id is None and len(called) > 1:
                break
            return words(id=message.tool_call_id, name=name)
    raise BadRequest("a tool's message must say by tool_name which call it answers")


def _head(ask: Ask, message: Words) -> Words:
    return {"model": ask.model, "created_at": WHEN, "message": message}


def _line(ask: Ask, message: Words) -> Frame:
    head = _head(ask, {"role": "assistant"} | message)
    return Frame(dump(head | {"done": False}) + b"\n", is_piece=True)


def _call(call: Call, index: int) -> Words:
    return {"function": {"index": index, "name": call.name, "arguments": dict(call.arguments)}}
