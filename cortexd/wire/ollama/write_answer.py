"""How an answer looks to clients of the Ollama dialect: lines of a stream, or one document.

Source of the shapes: `ChatResponse`, `GenerateResponse` and `Metrics` in `api/types.go` of
ollama/ollama.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallStarted,
    collect,
    weight,
)
from cortexd.domain.chat import ToolCall
from cortexd.wire.errors import MalformedStream
from cortexd.wire.ndjson import encode_line
from cortexd.wire.ollama.logprobs import write_logprobs
from cortexd.wire.resumption import write_resumption
from cortexd.wire.strict_json import dumps
from cortexd.wire.tool_arguments import as_object, is_object

ARGUMENTS_WEIGHT_MAX: Final = 8 * 1024 * 1024
"""How much of an answer's calls is kept until they are whole."""

_DONE_REASONS: Final = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    # The server itself has no other word for it; the calls speak for themselves.
    FinishReason.TOOL_CALLS: "stop",
    # Ollama never filters, so it has no word for this one. The member is free text that clients
    # pass on, and "stop" would make a whole answer of what is none.
    FinishReason.CONTENT_FILTER: "content_filter",
}


@attrs.frozen(kw_only=True)
class Durations:
    """How long the answer took, in nanoseconds: until its first event, and from there on."""

    before_first_ns: int
    after_first_ns: int


@attrs.frozen(kw_only=True)
class Head:
    """What all lines of an answer share. `created_at` is a time in RFC 3339."""

    model: str
    created_at: str


class Shape(Protocol):
    """Puts what a line brings into the words of an endpoint."""

    def __call__(
        self, text: str, *, thinking: str = "", calls: Sequence[dict[str, object]] = ()
    ) -> dict[str, object]:
        """The members of the line that are the endpoint's own."""
        ...


def chat_shape(
    text: str, *, thinking: str = "", calls: Sequence[dict[str, object]] = ()
) -> dict[str, object]:
    """A line of POST /api/chat."""
    message: dict[str, object] = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


def generate_shape(
    text: str, *, thinking: str = "", calls: Sequence[dict[str, object]] = ()
) -> dict[str, object]:
    """A line of POST /api/generate. Nobody can offer tools there, so nobody expects calls.

    Errors: `MalformedStream` for a call.
    """
    if calls:
        raise MalformedStream("a tool call, where no tools were offered")
    members: dict[str, object] = {"response": text}
    return members | {"thinking": thinking} if thinking else members


class AnswerEncoder:
    """Writes the lines of one answer; what all have in common is encoded once.

    Calls are kept until the answer ends: only then the arguments of all are known to be whole, in
    whatever order their pieces come. Each is a line of its own.
    Errors: `MalformedStream` for calls whose arguments are no objects.
    """

    def __init__(self, head: Head, shape: Shape) -> None:
        self._start = dumps({"model": head.model, "created_at": head.created_at})[:-1]
        self._shape = shape
        self._calls: list[AnswerEvent] = []
        self._calls_weight = 0

    def encode_batch(self, events: Batch, durations: Durations) -> bytes:
        """The lines of a batch. `durations` go into the last line of the answer alone."""
        written: list[bytes] = []
        for event in events:
            match event:
                case TextDelta(text, logprobs):
                    written.append(self._line(self._shape(text) | _told(logprobs)))
                # A refusal is the answer's text under another name.
                case RefusalDelta(text):
                    written.append(self._line(self._shape(text)))
                case ReasoningDelta(text) if text:
                    written.append(self._line(self._shape("", thinking=text)))
                case ToolCallStarted() | ToolCallDelta():
                    self._keep(event)
                case Finished(reason):
                    calls = _write_calls(collect((*self._calls, event)).tool_calls, reason)
                    written += [self._line(self._shape("", calls=[call])) for call in calls]
                    last = self._last(self._shape("") | _end(event, durations))
                    written.append(encode_line(last))
        return b"".join(written)

    def encode_answer(self, events: Batch, durations: Durations) -> bytes:
        """The whole answer as one document."""
        answer = collect(events)
        members = self._shape(
            answer.text + answer.refusal,
            thinking=answer.reasoning,
            calls=_write_calls(answer.tool_calls, answer.finished.reason),
        )
        return self._last(members | _told(answer.logprobs) | _end(answer.finished, durations))

    def _line(self, members: dict[str, object]) -> bytes:
        return encode_line(self._start + b',"done":false,' + dumps(members)[1:])

    def _last(self, members: dict[str, object]) -> bytes:
        return self._start + b',"done":true,' + dumps(members)[1:]

    def _keep(self, event: AnswerEvent) -> None:
        self._calls.append(event)
        self._calls_weight += 1 + weight(event)
        if self._calls_weight > ARGUMENTS_WEIGHT_MAX:
            raise MalformedStream(f"tool calls of more than {ARGUMENTS_WEIGHT_MAX} characters")


def encode_loaded(head: Head) -> bytes:
    """The answer of POST /api/generate to who asked for nothing but the model to be loaded."""
    return dumps(
        {
            "model": head.model,
            "created_at": head.created_at,
            "response": "",
            "done": True,
            "done_reason": "load",
        }
    )


def _write_calls(calls: Sequence[ToolCall], reason: FinishReason) -> list[dict[str, object]]:
    """The calls with their arguments as objects; one that was cut off at the limit is left out."""
    if reason is FinishReason.LENGTH and calls and not is_object(calls[-1].arguments):
        calls = calls[:-1]
    return [
        {
            "id": call.call_id,
            "function": {
                "index": index,
                "name": call.name,
                "arguments": as_object(call.arguments, tool=call.name),
            },
        }
        for index, call in enumerate(calls)
    ]


def _told(logprobs: Sequence[TokenLogprob]) -> dict[str, object]:
    return {"logprobs": write_logprobs(logprobs)} if logprobs else {}


def _end(finished: Finished, durations: Durations) -> dict[str, object]:
    """What only the last line says. Counts that nobody told are left out, as Ollama does."""
    end: dict[str, object] = {
        "done_reason": _DONE_REASONS[finished.reason],
        "total_duration": durations.before_first_ns + durations.after_first_ns,
        # How much of the wait was loading weights is not known here.
        "load_duration": 0,
        "prompt_eval_duration": durations.before_first_ns,
        "eval_duration": durations.after_first_ns,
    } | write_resumption(finished)
    if finished.usage is not None:
        end["prompt_eval_count"] = finished.usage.input_tokens
        end["eval_count"] = finished.usage.output_tokens
        if finished.usage.cached_tokens:
            end["prompt_eval_cached_count"] = finished.usage.cached_tokens
    return end
