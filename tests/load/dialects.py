"""Three dialects as far as the upstream speaks them: the frames of a streamed answer.

Sources: the streaming references of OpenAI's and Anthropic's APIs, and `docs/api.md` of Ollama.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

MODELS: Final = json.dumps(
    {
        "version": "0.12.0",
        "object": "list",
        "data": [{"id": "m", "object": "model", "type": "model"}],
        "models": [{"name": "m", "model": "m"}],
        "has_more": False,
    }
).encode()
"""One document that is a list of models in all three, and Ollama's version besides."""


def _event(document: Mapping[str, Any], *, name: bool = False) -> bytes:
    line = b"event: %b\n" % str(document["type"]).encode() if name else b""
    return line + b"data: " + json.dumps(document).encode() + b"\n\n"


@attrs.frozen(kw_only=True)
class Frames:
    """`line`: how a line begins that need never end."""

    media_type: str
    line: bytes
    begin: bytes
    end: bytes

    def piece(self, text: str) -> bytes:
        """The frame of a piece."""
        raise NotImplementedError


class _OpenAi(Frames):
    def piece(self, text: str) -> bytes:
        return _chunk({"content": text}, None)


class _Ollama(Frames):
    def piece(self, text: str) -> bytes:
        return _line(text, done=False)


class _Anthropic(Frames):
    def piece(self, text: str) -> bytes:
        delta = {"type": "text_delta", "text": text}
        return _event({"type": "content_block_delta", "index": 0, "delta": delta}, name=True)


def _chunk(delta: Mapping[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return _event({**head, "choices": [choice]})


def _line(text: str, *, done: bool) -> bytes:
    ending = {"done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1} if done else {}
    message = {"role": "assistant", "content": text}
    return json.dumps({"model": "m", "message": message, "done": done, **ending}).encode() + b"\n"


def _anthropic() -> Frames:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    start = {"type": "message_start", "message": {**message, "usage": {"input_tokens": 1}}}
    block = {"type": "text", "text": ""}
    ending = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
    return _Anthropic(
        media_type="text/event-stream",
        line=b"data: ",
        begin=_event(start, name=True)
        + _event({"type": "content_block_start", "index": 0, "content_block": block}, name=True),
        end=_event({"type": "content_block_stop", "index": 0}, name=True)
        + _event({"type": "message_delta", **ending}, name=True)
        + _event({"type": "message_stop"}, name=True),
    )


FRAMES: Final[Mapping[bytes, Frames]] = {
    b"/v1/chat/completions": _OpenAi(
        media_type="text/event-stream",
        line=b"data: ",
        begin=b"",
        end=_chunk({}, "stop") + b"data: [DONE]\n\n",
    ),
    b"/api/chat": _Ollama(
        media_type="application/x-ndjson",
        line=b'{"message":{"content":"',
        begin=b"",
        end=_line("", done=True),
    ),
    b"/v1/messages": _anthropic(),
}
"""By the path of a chat."""
