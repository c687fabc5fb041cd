"""What Cohere sends: streamed answers and its list of models.

Source of the protocol facts: `v2/types/v2chat_stream_response.py` and `types/` of the official
Python client (cohere), and Cohere's page on streaming.
"""

from typing import Final, NoReturn

import msgspec

from cortexd.domain.answer import (
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.failure import FailureKind
from cortexd.wire import foreign_json
from cortexd.wire.answer_decoder import AnswerDecoder
from cortexd.wire.cohere.failures import read_error
from cortexd.wire.cohere.usage import SentUsage, read_usage
from cortexd.wire.errors import MalformedStream
from cortexd.wire.quotation import quoted
from cortexd.wire.sse import SseDecoder, SseEvent

_FINISH_REASONS: Final = {
    "COMPLETE": FinishReason.STOP,
    "STOP_SEQUENCE": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "TOOL_CALL": FinishReason.TOOL_CALLS,
}
_FAILURES: Final = {
    "ERROR": FailureKind.SERVER_ERROR,
    "TIMEOUT": FailureKind.TIMED_OUT,
}

_DONE: Final = "[DONE]"
_ID_CHARACTERS: Final = 12
_ANSWERING_ENDPOINTS: Final = {"chat", "embed"}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Content(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct):
    # In `message-start`, and there alone, these are lists, and empty.
    content: _Content | list[object] | None = None
    tool_calls: _ToolCall | list[object] | None = None
    tool_plan: str | None = None


class _Delta(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    error: object = None
    usage: SentUsage | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    delta: _Delta | None = None
    message: object = None


class _Model(msgspec.Struct):
    name: str
    endpoints: list[str] | None = None


class _ModelList(msgspec.Struct):
    models: list[_Model]


_events: Final = msgspec.json.Decoder(_Event)
_model_lists: Final = msgspec.json.Decoder(_ModelList)


class EventDecoder(AnswerDecoder[SseEvent]):
    """Reads answers that come in events of many types.

    What a model plans to do with its tools is reasoning. Citations are read over.
    """

    def __init__(self, answer_id: str) -> None:
        super().__init__(SseDecoder())
        self._answer_id = answer_id
        # Cohere counts calls together with other parts of the answer.
        self._calls: dict[int | None, int] = {}
        self._call_count = 0

    def _read(self, frame: SseEvent) -> Batch | tuple[()]:
        if frame.data in {"", _DONE}:
            return ()
        return self._read_event(foreign_json.read(_events, frame.data, what="an event"))

    def _end(self) -> NoReturn:
        raise MalformedStream("truncated: the stream ended without message-end")

    def _read_event(self, event: _Event) -> Batch | tuple[()]:
        delta = event.delta or _Delta()
        message = delta.message or _Message()
        match event.type:
            case None:
                # An error document in the place of an event.
                raise read_error(event.message)
            case "content-start" | "content-delta":
                return _read_content(message)
            case "tool-plan-delta":
                return (ReasoningDelta(message.tool_plan),) if message.tool_plan else ()
            case "tool-call-start":
                return self._start_call(event.index, message)
            case "tool-call-delta":
                return self._continue_call(event.index, message)
            case "message-end":
                return self._finish(delta)
        return ()

    def _start_call(self, number: int | None, message: _Message) -> Batch:
        call = message.tool_calls
        if not isinstance(call, _ToolCall) or call.function is None or not call.function.name:
            raise MalformedStream("a tool call that begins without the name of a function")
        index = self._call_count
        self._call_count += 1
        self._calls[number] = index
        call_id = call.id or f"call_{self._answer_id[:_ID_CHARACTERS]}_{index}"
        started = ToolCallStarted(index, call_id, call.function.name)
        arguments = call.function.arguments
        return (started, ToolCallDelta(index, arguments)) if arguments else (started,)

    def _continue_call(self, number: int | None, message: _Message) -> Batch | tuple[()]:
        call = message.tool_calls
        if not isinstance(call, _ToolCall) or call.function is None or number not in self._calls:
            raise MalformedStream("a piece of a tool call that has not begun")
        arguments = call.function.arguments
        return (ToolCallDelta(self._calls[number], arguments),) if arguments else ()

    def _finish(self, delta: _Delta) -> Batch:
        reason = delta.finish_reason or ""
        if reason in _FAILURES or delta.error:
            raise read_error(delta.error, _FAILURES.get(reason, FailureKind.SERVER_ERROR))
        if reason not in _FINISH_REASONS:
            raise MalformedStream(f"unknown finish_reason {quoted(reason)}")
        finish = _FINISH_REASONS[reason]
        if finish is FinishReason.STOP and self._call_count:
            finish = FinishReason.TOOL_CALLS
        return (Finished(finish, read_usage(delta.usage)),)


def decode_models(body: bytes) -> tuple[str, ...]:
    """The names in the answer to GET /v1/models, of those that chat or embed.

    Errors: `MalformedStream` for a body that is no such list.
    """
    models = foreign_json.read(_model_lists, body, what="a list of models").models
    return tuple(
        model.name for model in models if not _ANSWERING_ENDPOINTS.isdisjoint(model.endpoints or ())
    )


def _read_content(message: _Message) -> Batch | tuple[()]:
    content = message.content
    if not isinstance(content, _Content):
        return ()
    if content.thinking:
        return (ReasoningDelta(content.thinking),)
    return (TextDelta(content.text),) if content.text else ()
