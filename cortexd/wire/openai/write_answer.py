"""How an answer looks to clients of the OpenAI dialect: chunks of a stream, or one completion.

Source of the shapes: `types/chat/chat_completion_chunk.py` and `chat_completion.py` of the official
Python client.
"""

from cortexd.domain.answer import Batch, ChatAnswer, Finished, TextDelta
from cortexd.domain.usage import Usage
from cortexd.wire.sse import encode_data
from cortexd.wire.strict_json import dumps

_DONE = encode_data(b"[DONE]")


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
        self._head = head[:-1] + b',"choices":['
        self._include_usage = include_usage
        self._begun = False

    def encode(self, events: Batch) -> bytes:
        """The chunks of a batch; the terminator comes right behind the last one of the answer."""
        written: list[bytes] = []
        if not self._begun:
            self._begun = True
            written.append(self._chunk(b'{"role":"assistant","content":""}'))
        for event in events:
            match event:
                case TextDelta(text):
                    written.append(self._chunk(b'{"content":' + dumps(text) + b"}"))
                case Finished(reason, usage):
                    written.append(self._chunk(b"{}", reason=dumps(reason.value)))
                    if self._include_usage and usage is not None:
                        written.append(self._usage_chunk(usage))
                    written.append(_DONE)
        return b"".join(written)

    def _chunk(self, delta: bytes, *, reason: bytes = b"null") -> bytes:
        choice = (
            b'{"index":0,"delta":' + delta + b',"logprobs":null,"finish_reason":' + reason + b"}"
        )
        # Who asked for usage gets the member in every chunk, filled in the last one alone.
        usage = b',"usage":null' if self._include_usage else b""
        return encode_data(self._head + choice + b"]" + usage + b"}")

    def _usage_chunk(self, usage: Usage) -> bytes:
        return encode_data(self._head + b'],"usage":' + dumps(_usage(usage)) + b"}")


def encode_answer(answer: ChatAnswer, *, answer_id: str, created: int, model: str) -> bytes:
    """The whole answer as one document; `usage` is left out where the worker told none."""
    finished = answer.finished
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text, "refusal": None},
        "logprobs": None,
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
    return dumps(document)


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
