"""What an Ollama worker sends: streamed answers, errors and its list of models.

Source of the protocol facts: `api/types.go` and `server/routes.go` of ollama/ollama, and the
official Python client (ollama).
"""

from typing import Final, NoReturn

import msgspec

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.answer_decoder import AnswerDecoder
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.ndjson import NdjsonDecoder
from cortexd.wire.ollama.logprobs import SentLogprob, read_logprobs
from cortexd.wire.strict_json import dumps
from cortexd.wire.upstream_failure import read_error, read_error_document

_STATUS_OF_A_STREAM: Final = 200

_DONE_REASONS: Final = {
    # Older servers give no reason.
    None: FinishReason.STOP,
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    # What another node of ours writes.
    "content_filter": FinishReason.CONTENT_FILTER,
}

_ID_CHARACTERS: Final = 12


class _Function(msgspec.Struct):
    name: str
    arguments: dict[str, object] | None = None


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(msgspec.Struct):
    message: _Message | None = None
    logprobs: list[SentLogprob] | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    prompt_eval_cached_count: int | None = None
    eval_count: int | None = None
    error: object = None


class _Model(msgspec.Struct):
    name: str


class _Tags(msgspec.Struct):
    models: list[_Model] | None


_lines: Final = msgspec.json.Decoder(_Line)
_tags: Final = msgspec.json.Decoder(_Tags)


class LineDecoder(AnswerDecoder[bytes]):
    """Reads answers that come in lines."""

    def __init__(self, answer_id: str) -> None:
        super().__init__(NdjsonDecoder())
        self._answer_id = answer_id
        self._calls = 0

    def _read(self, frame: bytes) -> list[AnswerEvent]:
        line = foreign_json.read(_lines, frame, what="a line of an answer")
        if line.error is not None:
            raise read_error(line.error, status=_STATUS_OF_A_STREAM)
        batch = self._read_message(line.message or _Message(), line.logprobs)
        if line.done:
            batch.append(self._finish(line))
        return batch

    def _end(self) -> NoReturn:
        raise MalformedStream("truncated: the stream ended without done:true")

    def _read_message(
        self, message: _Message, logprobs: list[SentLogprob] | None
    ) -> list[AnswerEvent]:
        batch: list[AnswerEvent] = []
        if message.thinking:
            batch.append(ReasoningDelta(message.thinking))
        told: tuple[TokenLogprob, ...] = ()
        # Those of a line with nothing but thoughts are the thoughts' own: nobody asks for them.
        if logprobs and (message.content or not message.thinking):
            told = read_logprobs(logprobs)
        if message.content or told:
            batch.append(TextDelta(message.content or "", told))
        for call in message.tool_calls or ():
            batch += self._read_call(call)
        return batch

    def _read_call(self, call: _ToolCall) -> Batch:
        # The server's own index has not always counted.
        index = self._calls
        self._calls += 1
        call_id = call.id or f"call_{self._answer_id[:_ID_CHARACTERS]}_{index}"
        arguments = dumps(call.function.arguments or {}).decode()
        return (
            ToolCallStarted(index, call_id, call.function.name),
            ToolCallDelta(index, arguments),
        )

    def _finish(self, line: _Line) -> Finished:
        try:
            reason = _DONE_REASONS[line.done_reason]
        except KeyError:
            # `load` and `unload` end an exchange that has no answer.
            detail = f"unknown done_reason {str(line.done_reason)[:100]!r}"
            raise MalformedStream(detail) from None
        if reason is FinishReason.STOP and self._calls:
            reason = FinishReason.TOOL_CALLS
        return Finished(reason, _usage(line))


def _usage(line: _Line) -> Usage | None:
    if line.prompt_eval_count is None and line.eval_count is None:
        return None
    # Counts of zero are left out; the prompt's is one where an older server had all of it cached.
    return Usage(
        line.prompt_eval_count or 0,
        line.eval_count or 0,
        cached_tokens=line.prompt_eval_cached_count or 0,
    )


def decode_error(answer: FailedAnswer) -> UpstreamError:
    """The failure behind an answer that is no stream; its body is `{"error": "text"}`."""
    return read_error_document(answer)


def decode_models(body: bytes) -> tuple[str, ...]:
    """The names in the answer to GET /api/tags.

    Errors: `MalformedStream` for a body that is no such list.
    """
    models = foreign_json.read(_tags, body, what="a list of models").models
    # Go writes a list that was never filled as null.
    return tuple(model.name for model in models or ())
