"""How an answer looks to clients of the OpenAI dialect: chunks of a stream, or one completion.

Source of the shapes: `types/chat/chat_completion_chunk.py` and `chat_completion.py` of the official
Python client. It has no word for reasoning; `reasoning_content` is what vLLM, llama.cpp and
DeepSeek write, and what clients look for.
"""

from collections.abc import Sequence

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    ChatAnswer,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    TokenProbability,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.chat import ToolCall
from cortexd.domain.usage import Usage
from cortexd.wire.resumption import write_resumption
from cortexd.wire.sse import encode_data
from cortexd.wire.strict_json import dumps

_DONE = encode_data(b"[DONE]")

# Clients parse arguments as JSON, which nothing at all is not.
_NO_ARGUMENTS = "{}"


class StreamEncoder:
    """Writes the chunks of one answer.

    All but the text is the same in every chunk, so it is encoded once for the whole answer.
    """

    def __init__(self, *, answer_id: str, created: int, model: str, include_usage: bool) -> None:
        head = dumps(
            {
                "id": answer_id,
                "object": "chat.completion.chunk",
                "created": created,
                "model": model,
            }
        )
        self._head = b"data: " + head[:-1] + b',"choices":['
        # Who asked for usage gets the member in every chunk, filled in the last one alone.
        self._tail = (b',"usage":null' if include_usage else b"") + b"}\n\n"
        self._text_head = self._head + b'{"index":0,"delta":{"content":'
        self._text_tail = b'},"logprobs":null,"finish_reason":null}]' + self._tail
        self._include_usage = include_usage
        self._begun = False
        self._calls_without_arguments: set[int] = set()

    def encode(self, events: Batch) -> bytes:
        """The chunks of a batch; the terminator comes right behind the last one of the answer."""
        written: list[bytes] = []
        if not self._begun:
            self._begun = True
            written.append(self._chunk(b'{"role":"assistant","content":""}'))
        for event in events:
            # A pattern takes longer to match than a type to compare.
            if isinstance(event, TextDelta) and not event.logprobs:
                written.append(self._text_head + dumps(event.text) + self._text_tail)
            elif isinstance(event, Finished):
                written += self._end(event)
            else:
                written.append(self._encode_rarer(event))
        return b"".join(written)

    def _encode_rarer(self, event: AnswerEvent) -> bytes:
        match event:
            case TextDelta(text, logprobs):
                return self._chunk(dumps({"content": text}), logprobs=dumps(_logprobs(logprobs)))
            case RefusalDelta(text):
                return self._chunk(dumps({"refusal": text}))
            # A seal alone is of no use to clients of this dialect.
            case ReasoningDelta(text) if text:
                return self._chunk(dumps({"reasoning_content": text}))
            case ToolCallStarted(index, call_id, name):
                self._calls_without_arguments.add(index)
                return self._call_chunk({"index": index} | _call(ToolCall(call_id, name, "")))
            case ToolCallDelta(index, arguments):
                self._calls_without_arguments.discard(index)
                return self._arguments_chunk(index, arguments)
            case _:
                return b""

    def _end(self, finished: Finished) -> list[bytes]:
        written = [
            self._arguments_chunk(index, _NO_ARGUMENTS)
            for index in sorted(self._calls_without_arguments)
        ]
        written.append(self._last_chunk(finished))
        if self._include_usage and finished.usage is not None:
            usage = dumps(_usage(finished.usage))
            written.append(self._head + b'],"usage":' + usage + b"}\n\n")
        written.append(_DONE)
        return written

    def _last_chunk(self, finished: Finished) -> bytes:
        chunk = self._chunk(b"{}", reason=dumps(finished.reason.value))
        resumption = write_resumption(finished)
        if not resumption:
            return chunk
        return chunk.removesuffix(self._tail) + b"," + dumps(resumption)[1:-1] + self._tail

    def _arguments_chunk(self, index: int, arguments: str) -> bytes:
        return self._call_chunk({"index": index, "function": {"arguments": arguments}})

    def _call_chunk(self, call: dict[str, object]) -> bytes:
        return self._chunk(dumps({"tool_calls": [call]}))

    def _chunk(self, delta: bytes, *, reason: bytes = b"null", logprobs: bytes = b"null") -> bytes:
        choice = b'{"index":0,"delta":%b,"logprobs":%b,"finish_reason":%b}]' % (
            delta,
            logprobs,
            reason,
        )
        return self._head + choice + self._tail


def encode_answer(answer: ChatAnswer, *, answer_id: str, created: int, model: str) -> bytes:
    """The whole answer as one document; `usage` is left out where the worker told none."""
    finished = answer.finished
    choice = {
        "index": 0,
        "message": _message(answer),
        "logprobs": _logprobs(answer.logprobs) if answer.logprobs else None,
        "finish_reason": finished.reason.value,
    }
    document: dict[str, object] = {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
    }
    if finished.usage is not None:
        document["usage"] = _usage(finished.usage)
    return dumps(document | write_resumption(finished))


def _message(answer: ChatAnswer) -> dict[str, object]:
    stands_alone = not (answer.tool_calls or answer.refusal)
    message: dict[str, object] = {
        "role": "assistant",
        "content": answer.text if answer.text or stands_alone else None,
        "refusal": answer.refusal or None,
    }
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [_call(call) for call in _with_arguments(answer.tool_calls)]
    return message


def _with_arguments(calls: Sequence[ToolCall]) -> list[ToolCall]:
    return [ToolCall(one.call_id, one.name, one.arguments or _NO_ARGUMENTS) for one in calls]


def _call(call: ToolCall) -> dict[str, object]:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, object]:
    content = [
        _probability(token.chosen)
        | {"top_logprobs": [_probability(one) for one in token.alternatives]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _probability(token: TokenProbability) -> dict[str, object]:
    return {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": None if token.utf8 is None else list(token.utf8),
    }


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
