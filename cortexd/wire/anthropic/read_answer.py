"""What an Anthropic worker sends: the events of a streamed answer.

Source of the protocol facts: platform.claude.com/docs, "Streaming messages"; the types and
`lib/streaming/_messages.py` of the official Python client (anthropic).
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
from cortexd.wire import foreign_json
from cortexd.wire.answer_decoder import AnswerDecoder
from cortexd.wire.anthropic.read_error import read_stream_error
from cortexd.wire.anthropic.read_usage import UsageCount, UsageTold
from cortexd.wire.anthropic.redaction import redacted_signature
from cortexd.wire.errors import MalformedStream
from cortexd.wire.sse import SseDecoder, SseEvent
from cortexd.wire.strict_json import dumps

# `pause_turn` is missing on purpose: such an answer is not whole, and only tools that run at
# Anthropic's, which are never asked for, lead to it.
_STOP_REASONS: Final = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}


class _Message(msgspec.Struct):
    usage: UsageTold | None = None


class _Start(msgspec.Struct):
    message: _Message


class _Block(msgspec.Struct):
    type: str
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    input: dict[str, object] | None = None


class _BlockStart(msgspec.Struct):
    index: int
    content_block: _Block


class _Delta(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None


class _BlockDelta(msgspec.Struct):
    index: int
    delta: _Delta


class _Ending(msgspec.Struct):
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _MessageDelta(msgspec.Struct):
    delta: _Ending
    usage: UsageTold | None = None


class _Kind(msgspec.Struct):
    type: str


_kinds: Final = msgspec.json.Decoder(_Kind)
_starts: Final = msgspec.json.Decoder(_Start)
_block_starts: Final = msgspec.json.Decoder(_BlockStart)
_block_deltas: Final = msgspec.json.Decoder(_BlockDelta)
_message_deltas: Final = msgspec.json.Decoder(_MessageDelta)


class MessageDecoder(AnswerDecoder[SseEvent]):
    """Reads answers that come block by block, each begun, continued and ended by events."""

    def __init__(self, answer_id: str) -> None:
        super().__init__(SseDecoder())
        self._answer_id = answer_id
        self._calls: dict[int, int] = {}
        self._reason: FinishReason | None = None
        self._stop_sequence: str | None = None
        self._usage = UsageCount()

    def _read(self, frame: SseEvent) -> Batch | tuple[()]:
        if not frame.data:
            return ()
        # The name says it all; some servers that imitate the API leave it out.
        kind = frame.event or foreign_json.read(_kinds, frame.data, what="an event").type
        match kind:
            case "content_block_delta":
                return self._read_block_delta(frame.data)
            case "content_block_start":
                return self._read_block_start(frame.data)
            case "message_start":
                start = foreign_json.read(_starts, frame.data, what="a message_start")
                self._usage.add(start.message.usage)
            case "message_delta":
                self._read_message_delta(frame.data)
            case "message_stop":
                return self._finish()
            case "error":
                raise read_stream_error(frame.data)
        # Pings too, and kinds yet to come, which the API's versioning policy wants ignored.
        return ()

    def _end(self) -> NoReturn:
        raise MalformedStream("truncated: the stream ended without message_stop")

    def _read_block_start(self, data: str) -> Batch | tuple[()]:
        start = foreign_json.read(_block_starts, data, what="a content_block_start")
        block = start.content_block
        match block.type:
            case "text" if block.text:
                return (TextDelta(block.text),)
            case "thinking" if block.thinking or block.signature:
                return (ReasoningDelta(block.thinking or "", block.signature or None),)
            case "redacted_thinking":
                return (ReasoningDelta("", redacted_signature(block.data or "")),)
            case "tool_use":
                return self._start_call(start.index, block)
        return ()

    def _start_call(self, block_index: int, block: _Block) -> Batch:
        if not block.name or block_index in self._calls:
            raise MalformedStream("a tool_use block without a name, or begun twice")
        index = self._calls[block_index] = len(self._calls)
        call_id = block.id or f"call_{self._answer_id[:12]}_{index}"
        started = ToolCallStarted(index, call_id, block.name)
        if not block.input:
            return (started,)
        return (started, ToolCallDelta(index, dumps(block.input).decode()))

    def _read_block_delta(self, data: str) -> Batch | tuple[()]:
        event = foreign_json.read(_block_deltas, data, what="a content_block_delta")
        delta = event.delta
        match delta.type:
            case "text_delta" if delta.text:
                return (TextDelta(delta.text),)
            case "thinking_delta" if delta.thinking:
                return (ReasoningDelta(delta.thinking),)
            case "signature_delta" if delta.signature:
                return (ReasoningDelta("", delta.signature),)
            # A block that began no call belongs to a tool of the provider's own.
            case "input_json_delta" if delta.partial_json and event.index in self._calls:
                return (ToolCallDelta(self._calls[event.index], delta.partial_json),)
        return ()

    def _read_message_delta(self, data: str) -> None:
        event = foreign_json.read(_message_deltas, data, what="a message_delta")
        self._usage.add(event.usage)
        reason = event.delta.stop_reason
        if reason is not None:
            if reason not in _STOP_REASONS:
                raise MalformedStream(f"unknown stop_reason {reason[:100]!r}")
            self._reason = _STOP_REASONS[reason]
            self._stop_sequence = event.delta.stop_sequence

    def _finish(self) -> Batch:
        reason = self._reason
        if reason is None:
            raise MalformedStream("message_stop without a stop_reason")
        if reason is FinishReason.STOP and self._calls and self._stop_sequence is None:
            reason = FinishReason.TOOL_CALLS
        return (Finished(reason, self._usage.total(), self._stop_sequence),)
