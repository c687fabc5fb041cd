"""What Gemini sends: streamed answers and its list of models.

Source of the protocol facts: `types.py` and `models.py` of the official Python client
(google-genai).
"""

from typing import Final

import msgspec

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.answer_decoder import AnswerDecoder
from cortexd.wire.errors import MalformedStream
from cortexd.wire.gemini.call_ids import make_call_id
from cortexd.wire.gemini.failures import SentError, read_error
from cortexd.wire.sse import SseDecoder, SseEvent
from cortexd.wire.strict_json import dumps

_STATUS_OF_A_STREAM: Final = 200
_QUOTED_CHARACTERS: Final = 200

# Every other reason (MALFORMED_FUNCTION_CALL, say) tells that the answer is broken.
_FINISH_REASONS: Final = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    # It could be carried on, by a way that only the official client knows.
    "CONTINUATION": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "LANGUAGE": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "ESCALATION": FinishReason.CONTENT_FILTER,
}
_NOT_YET: Final = {None, "", "FINISH_REASON_UNSPECIFIED"}
_NOT_BLOCKED: Final = {None, "", "BLOCKED_REASON_UNSPECIFIED"}

_ANSWERING_METHODS: Final = {"generateContent", "embedContent"}


class _FunctionCall(msgspec.Struct):
    name: str
    args: dict[str, object] | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None


class _PromptFeedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _UsageMetadata(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None


class _Response(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _PromptFeedback | None = None
    usage_metadata: _UsageMetadata | None = None
    error: SentError | None = None


class _Model(msgspec.Struct, rename="camel"):
    name: str
    supported_generation_methods: list[str] = []


class _ModelList(msgspec.Struct):
    models: list[_Model]


_responses: Final = msgspec.json.Decoder(_Response)
_model_lists: Final = msgspec.json.Decoder(_ModelList)


class ResponseDecoder(AnswerDecoder[SseEvent]):
    """Reads answers whose events are whole responses.

    Only the end of the body ends an answer, as for the official client: some models and proxies
    write a finish reason into every response, and would be cut short by the first. Without any, the
    end of the body is a truncation.
    """

    def __init__(self, answer_id: str) -> None:
        super().__init__(SseDecoder())
        self._answer_id = answer_id
        self._calls = 0
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None

    def _read(self, frame: SseEvent) -> list[AnswerEvent]:
        if not frame.data:
            return []
        response = foreign_json.read(_responses, frame.data, what="a response")
        if response.error is not None:
            raise read_error(response.error, status=_STATUS_OF_A_STREAM)
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason not in _NOT_BLOCKED:
            self._reason = FinishReason.CONTENT_FILTER
        if response.usage_metadata is not None:
            # Each one counts from the beginning of the answer.
            self._usage = _read_usage(response.usage_metadata)
        # There is never a second one, since `candidateCount` is never sent.
        return self._read_candidate(response.candidates[0]) if response.candidates else []

    def _end(self) -> Batch:
        if self._reason is None:
            raise MalformedStream("truncated: the stream ended without a finishReason")
        # Gemini does not tell an answer that ends in calls from any other.
        has_calls = self._reason is FinishReason.STOP and self._calls
        return (Finished(FinishReason.TOOL_CALLS if has_calls else self._reason, self._usage),)

    def _read_candidate(self, candidate: _Candidate) -> list[AnswerEvent]:
        reason = candidate.finish_reason
        if reason not in _NOT_YET:
            try:
                self._reason = _FINISH_REASONS[reason or ""]
            except KeyError:
                said = f"{reason}: {candidate.finish_message or 'no message'}"
                raise MalformedStream(f"a broken answer, {said[:_QUOTED_CHARACTERS]}") from None
        batch: list[AnswerEvent] = []
        for part in (candidate.content or _Content()).parts or ():
            batch += self._read_part(part)
        return batch

    def _read_part(self, part: _Part) -> Batch | tuple[()]:
        if part.function_call is not None:
            return self._read_call(part.function_call, part.thought_signature)
        if not part.text:
            return ()
        return (ReasoningDelta(part.text) if part.thought else TextDelta(part.text),)

    def _read_call(self, call: _FunctionCall, signature: str | None) -> Batch:
        index = self._calls
        self._calls += 1
        call_id = make_call_id(self._answer_id, index, signature)
        return (
            ToolCallStarted(index, call_id, call.name),
            ToolCallDelta(index, dumps(call.args or {}).decode()),
        )


def decode_models(body: bytes) -> tuple[str, ...]:
    """The names in the answer to GET …/models, of those that chat or embed.

    Errors: `MalformedStream` for a body that is no such list.
    """
    models = foreign_json.read(_model_lists, body, what="a list of models").models
    return tuple(
        model.name.removeprefix("models/")
        for model in models
        if not _ANSWERING_METHODS.isdisjoint(model.supported_generation_methods)
    )


def _read_usage(usage: _UsageMetadata) -> Usage:
    thoughts = usage.thoughts_token_count or 0
    return Usage(
        input_tokens=usage.prompt_token_count or 0,
        output_tokens=(usage.candidates_token_count or 0) + thoughts,
        cached_tokens=usage.cached_content_token_count or 0,
        reasoning_tokens=thoughts,
    )
