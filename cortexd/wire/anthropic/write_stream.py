"""How an answer looks to clients of the Anthropic dialect as it comes: blocks that grow.

Source of the shapes: platform.claude.com/docs, "Streaming messages"; `types/raw_*_event.py` and
`lib/streaming/_messages.py` of the official Python client (anthropic).

`message_start` says that the input has no tokens, since the workers that count tell it only at the
end; `message_delta` has the true counts, which its readers put in the place of the first.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.wire.anthropic.redaction import redacted_data
from cortexd.wire.anthropic.write_answer import Head, write_ending, write_usage
from cortexd.wire.errors import MalformedStream
from cortexd.wire.resumption import write_resumption
from cortexd.wire.strict_json import dumps


class _Kind(Enum):
    """What the block that is being written is; a refusal is a text by itself."""

    NONE = auto()
    TEXT = auto()
    REFUSAL = auto()
    THINKING = auto()
    CALL = auto()


_TEXT_BLOCK: Final[Mapping[str, object]] = {"type": "text", "text": ""}
_THINKING_BLOCK: Final[Mapping[str, object]] = {"type": "thinking", "thinking": "", "signature": ""}


def encode_event(name: bytes, payload: bytes) -> bytes:
    """An event. `payload` must hold no line ends, as is true of encoded JSON."""
    return b"event: " + name + b"\ndata: " + payload + b"\n\n"


class StreamEncoder:
    """Writes the events of one answer; at most one block is open at a time."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._begun = False
        self._open = _Kind.NONE
        self._blocks = 0
        self._call: int | None = None
        # How the event begins that the open block grows by.
        self._delta = b""

    def encode(self, events: Batch | tuple[()]) -> bytes:
        """The events of a batch; `message_stop` comes right behind the last one of the answer.

        Errors: `MalformedStream` where the pieces of two calls are mixed up.
        """
        written: list[bytes] = []
        if not self._begun:
            self._begun = True
            start = {"type": "message_start", "message": self._head.write()}
            written.append(encode_event(b"message_start", dumps(start)))
        written += [self._encode(event) for event in events]
        return b"".join(written)

    def _encode(self, event: AnswerEvent) -> bytes:
        written = b""
        match event:
            case TextDelta(text):
                written = self._grow_text(_Kind.TEXT, text)
            case ToolCallDelta(index, arguments):
                written = self._grow_call(index, arguments)
            case ReasoningDelta(text, signature):
                written = self._think(text, signature)
            case RefusalDelta(text):
                written = self._grow_text(_Kind.REFUSAL, text)
            case ToolCallStarted(index, call_id, name):
                block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
                written = self._start(_Kind.CALL, block)
                self._call = index
            case Finished():
                written = self._stop() + _write_end(event)
        return written

    def _grow_text(self, kind: _Kind, text: str) -> bytes:
        if not text:
            return b""
        started = b"" if self._open is kind else self._start(kind, _TEXT_BLOCK)
        return started + self._grow(b'"text_delta","text":', text)

    def _grow_call(self, index: int, arguments: str) -> bytes:
        if index != self._call:
            raise MalformedStream("a piece of a call that another one has followed")
        return self._grow(b'"input_json_delta","partial_json":', arguments)

    def _think(self, text: str, signature: str | None) -> bytes:
        data = redacted_data(signature)
        if data is not None:
            block = {"type": "redacted_thinking", "data": data}
            return self._start(_Kind.THINKING, block) + self._stop()
        is_open = self._open is _Kind.THINKING
        written = b"" if is_open else self._start(_Kind.THINKING, _THINKING_BLOCK)
        if text:
            written += self._grow(b'"thinking_delta","thinking":', text)
        if signature is not None:
            written += self._grow(b'"signature_delta","signature":', signature) + self._stop()
        return written

    def _start(self, kind: _Kind, block: Mapping[str, object]) -> bytes:
        stopped = self._stop()
        index = self._blocks
        self._open = kind
        self._delta = b'{"type":"content_block_delta","index":%d,"delta":{"type":' % index
        start = {"type": "content_block_start", "index": index, "content_block": block}
        return stopped + encode_event(b"content_block_start", dumps(start))

    def _grow(self, kind: bytes, text: str) -> bytes:
        return encode_event(b"content_block_delta", self._delta + kind + dumps(text) + b"}}")

    def _stop(self) -> bytes:
        if self._open is _Kind.NONE:
            return b""
        stop = {"type": "content_block_stop", "index": self._blocks}
        self._open = _Kind.NONE
        self._call = None
        self._blocks += 1
        return encode_event(b"content_block_stop", dumps(stop))


def _write_end(finished: Finished) -> bytes:
    delta = {
        "type": "message_delta",
        "delta": write_ending(finished),
        "usage": write_usage(finished.usage),
    } | write_resumption(finished)
    stop = encode_event(b"message_stop", b'{"type":"message_stop"}')
    return encode_event(b"message_delta", dumps(delta)) + stop
