"""How an answer looks to clients of the Anthropic dialect: a message, and what all of it shares.

Source of the shapes: `types/message.py`, `types/usage.py` and `types/*_block.py` of the official
Python client (anthropic).

A thought that its worker did not seal has an empty signature: the types demand one.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from cortexd.domain.answer import Batch, ChatAnswer, Finished, FinishReason, ReasoningDelta
from cortexd.domain.chat import Text, Thought, ToolCall
from cortexd.domain.usage import Usage
from cortexd.wire.anthropic.redaction import redacted_data
from cortexd.wire.errors import MalformedStream
from cortexd.wire.resumption import write_resumption
from cortexd.wire.strict_json import dumps
from cortexd.wire.tool_arguments import as_object

_STOP_REASONS: Final[Mapping[FinishReason, str]] = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
}


@attrs.frozen(kw_only=True)
class Head:
    """What an answer begins with."""

    message_id: str
    model: str

    def write(self) -> dict[str, object]:
        """The message before anything is said. Who counts tokens tells only at the end."""
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(None) | {"input_tokens": 0},
        }


def without_thoughts(events: Batch) -> Batch | tuple[()]:
    """The events of an answer whose thoughts are not to be read; their seals stay.

    A model is given its thoughts back, and takes them by their signature.
    """
    return tuple(
        ReasoningDelta("", event.signature) if isinstance(event, ReasoningDelta) else event
        for event in events
        if not isinstance(event, ReasoningDelta) or event.signature is not None
    )


def encode_answer(answer: ChatAnswer, head: Head) -> bytes:
    """The whole answer as one document.

    Errors: `MalformedStream` for a call whose arguments are no object.
    """
    message = (
        head.write() | {"content": list(_write_blocks(answer))} | write_ending(answer.finished)
    )
    usage = {"input_tokens": 0} | write_usage(answer.finished.usage)
    return dumps(message | {"usage": usage} | write_resumption(answer.finished))


def write_ending(finished: Finished) -> dict[str, object]:
    """Why the answer ended."""
    reason = _STOP_REASONS[finished.reason]
    if finished.reason is FinishReason.STOP and finished.stop_sequence is not None:
        reason = "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": finished.stop_sequence}


def write_usage(usage: Usage | None) -> dict[str, object]:
    """The counts; what was cached is not among the input here. The output is never left out."""
    if usage is None:
        return {"output_tokens": 0}
    cached = usage.cached_tokens + usage.cache_write_tokens
    written: dict[str, object] = {
        "input_tokens": max(0, usage.input_tokens - cached),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return written


def _write_blocks(answer: ChatAnswer) -> Iterator[dict[str, object]]:
    for part in answer.parts:
        match part:
            case Text(text):
                if text:
                    yield {"type": "text", "text": text}
            case Thought():
                yield _write_thought(part)
            case ToolCall():
                arguments = _read_arguments(part, answer)
                if arguments is not None:
                    block = {"type": "tool_use", "id": part.call_id, "name": part.name}
                    yield block | {"input": arguments}
    if answer.refusal:
        yield {"type": "text", "text": answer.refusal}


def _write_thought(thought: Thought) -> dict[str, object]:
    data = redacted_data(thought.signature)
    if data is not None:
        return {"type": "redacted_thinking", "data": data}
    signature = thought.signature or ""
    return {"type": "thinking", "thinking": thought.text, "signature": signature}


def _read_arguments(call: ToolCall, answer: ChatAnswer) -> dict[str, object] | None:
    """The arguments; `None` for those that the limit has cut off, with which nobody can call."""
    try:
        return as_object(call.arguments, tool=call.name)
    except MalformedStream:
        if answer.finished.reason is FinishReason.LENGTH and call is answer.tool_calls[-1]:
            return None
        raise
