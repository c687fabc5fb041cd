"""What a worker of the OpenAI dialect sends: streamed answers, errors and its list of models.

Source of the protocol facts: the types and `_streaming.py` of the official Python client (openai).
"""

from typing import Final

import attrs
import msgspec

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.answer_decoder import AnswerDecoder
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.openai.chunk import Choice, Chunk, Delta, GroqNotes
from cortexd.wire.openai.rate_limit_headers import is_by_the_day, reset_s, told_wait_s
from cortexd.wire.openai.tool_call_stream import ToolCallStream
from cortexd.wire.sse import SseDecoder, SseEvent
from cortexd.wire.upstream_failure import read_error, read_error_document

_STATUS_OF_A_STREAM: Final = 200

_FINISH_REASONS: Final = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.TOOL_CALLS,
    # What it was called before there were tools.
    "function_call": FinishReason.TOOL_CALLS,
}


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model] | None


_chunks: Final = msgspec.json.Decoder(Chunk)
_model_lists: Final = msgspec.json.Decoder(_ModelList)


class ChunkDecoder(AnswerDecoder[SseEvent]):
    """Reads answers that come in chunks.

    `Finished` is held back until `[DONE]` or the end of the body, because the chunk with the usage
    may come after the one with the finish reason.
    """

    def __init__(self, answer_id: str) -> None:
        super().__init__(SseDecoder())
        self._calls = ToolCallStream(answer_id)
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None

    def _read(self, frame: SseEvent) -> Batch | tuple[()]:
        if frame.data == "[DONE]":
            return self._end()
        if not frame.data:
            return ()
        chunk = foreign_json.read(_chunks, frame.data, what="a chunk")
        if chunk.error is not None:
            raise read_error(chunk.error, status=_STATUS_OF_A_STREAM)
        if frame.event == "error":
            raise read_error(frame.data, status=_STATUS_OF_A_STREAM)
        if chunk.x_groq is not None:
            self._read_groq(chunk.x_groq)
        if chunk.usage is not None:
            self._usage = chunk.usage.read()
        # The usage chunk has no choices. There is never a second one, since `n` is never sent.
        return self._read_choice(chunk.choices[0]) if chunk.choices else ()

    def _read_choice(self, choice: Choice) -> Batch | tuple[()]:
        if choice.finish_reason:
            try:
                self._reason = _FINISH_REASONS[choice.finish_reason]
            except KeyError:
                # Any other reason (vLLM's `abort`, say) does not tell that the answer is whole.
                detail = f"unknown finish_reason {choice.finish_reason[:100]!r}"
                raise MalformedStream(detail) from None
        logprobs = () if choice.logprobs is None else choice.logprobs.read()
        if choice.delta is None:
            return (TextDelta("", logprobs),) if logprobs else ()
        return self._read_delta(choice.delta, logprobs)

    def _read_delta(self, delta: Delta, logprobs: tuple[TokenLogprob, ...]) -> Batch | tuple[()]:
        events: list[AnswerEvent] = []
        # Some vLLM write the same text under both names.
        if reasoning := delta.reasoning_content or delta.reasoning:
            events.append(ReasoningDelta(reasoning))
        if delta.content or logprobs:
            events.append(TextDelta(delta.content or "", logprobs))
        if delta.refusal:
            events.append(RefusalDelta(delta.refusal))
        for piece in delta.tool_calls or ():
            events += self._calls.read(piece)
        return tuple(events)

    def _read_groq(self, groq: GroqNotes) -> None:
        if groq.error is not None:
            raise read_error(groq.error, status=_STATUS_OF_A_STREAM)
        if groq.usage is not None:
            self._usage = groq.usage.read()

    def _end(self) -> Batch:
        reason = self._reason
        if reason is None:
            raise MalformedStream("truncated: the stream ended without a finish_reason")
        if reason is FinishReason.STOP and self._calls:
            # OpenAI's own word where one particular function had to be called.
            reason = FinishReason.TOOL_CALLS
        return (Finished(reason, self._usage),)


def decode_error(answer: FailedAnswer) -> UpstreamError:
    """The failure behind an answer that is no stream: an error status, or a 200 with JSON."""
    error = read_error_document(answer)
    if error.kind is not FailureKind.RATE_LIMITED:
        return error
    # The message tells of the very limit that was hit.
    told = error.told or ""
    wait_s = told_wait_s(told)
    if is_by_the_day(told):
        return attrs.evolve(error, kind=FailureKind.QUOTA_EXHAUSTED, retry_after_s=wait_s)
    if wait_s is None:
        wait_s = reset_s(answer.headers)
    return attrs.evolve(error, retry_after_s=wait_s)


def decode_models(body: bytes) -> tuple[str, ...]:
    """The names in the answer to GET /v1/models.

    Errors: `MalformedStream` for a body that is no such list.
    """
    models = foreign_json.read(_model_lists, body, what="a list of models").data
    # Ollama's own /v1/models says null where it has none.
    return tuple(model.id for model in models or ())
