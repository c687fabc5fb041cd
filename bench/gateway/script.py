"""What is asked and what has to be answered, known to the upstream and to the load program.

A request carries the script of its answer in its prompt, which every gateway passes on, so the
upstream keeps no state and the load program knows each answer to the letter.
Source of the shapes: `types/chat/` of the official Python client (openai).
"""

import json
from functools import cache
from typing import Final, TypeAlias

import attrs
import msgspec

MODEL: Final = "bench"
MODELS: Final = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()

_HEAD: Final = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": MODEL}


class WrongAnswer(Exception):
    """A gateway gave another answer than the upstream; a cost measured like that means nothing."""


@attrs.frozen
class Script:
    """An answer of so many pieces with so many seconds between them; it streams if `stream`."""

    pieces: int
    interval_s: float = 0.0
    stream: bool = False

    @property
    def text(self) -> str:
        """All of the answer."""
        return "".join(map(_text_of, range(self.pieces)))


@attrs.frozen
class Asked:
    """What a request says to the upstream."""

    script: Script
    include_usage: bool


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Message(msgspec.Struct):
    content: str


class _Request(msgspec.Struct):
    messages: list[_Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    message: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]


_requests: Final = msgspec.json.Decoder(_Request)
_answers: Final = msgspec.json.Decoder(_Answer)

Document: TypeAlias = dict[str, object]


def _text_of(index: int) -> str:
    # No two pieces are the same, so that one that is missing or out of its order shows.
    return f"piece {index} "


def encode_request(script: Script, name: str = "") -> bytes:
    """The body of a chat request that asks for the script to be played.

    No gateway answers requests of different names out of a cache.
    """
    prompt = f"{script.pieces} pieces, {script.interval_s} s apart {name}"
    return msgspec.json.encode(
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": prompt}],
            "stream": script.stream,
        }
    )


def decode_request(body: bytes) -> Asked:
    """What the body of a chat request asks for."""
    request = _requests.decode(body)
    words = request.messages[-1].content.split()
    script = Script(pieces=int(words[0]), interval_s=float(words[2]), stream=request.stream)
    options = request.stream_options
    return Asked(script, include_usage=options is not None and options.include_usage)


@cache
def encode_document(pieces: int) -> bytes:
    """An answer that is sent whole."""
    message = {"role": "assistant", "content": Script(pieces).text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return _json(object="chat.completion", choices=[choice], usage=_usage(pieces))


@cache
def encode_stream(pieces: int, *, include_usage: bool) -> tuple[bytes, ...]:
    """The writes of a streamed answer: a piece each, with the end behind the last one."""
    writes = [_chunk({"content": _text_of(index)}) for index in range(pieces)]
    writes[0] = _chunk({"role": "assistant", "content": ""}) + writes[0]
    end = _chunk({}, finish_reason="stop")
    if include_usage:
        end += _event(_json(object="chat.completion.chunk", choices=[], usage=_usage(pieces)))
    writes[-1] += end + _event(b"[DONE]")
    return tuple(writes)


def check_answer(script: Script, body: bytes) -> None:
    """See that an answer is the one asked for, all of it and in order. Raises `WrongAnswer`."""
    try:
        text, is_whole = _read_stream(body) if script.stream else _read_document(body)
    except msgspec.MsgspecError as exc:
        raise WrongAnswer(f"an answer in no known shape ({exc}): {body[:200]!r}") from exc
    if text != script.text or not is_whole:
        raise WrongAnswer(f"not the answer that was asked for: it ends with {body[-200:]!r}")


def _read_document(body: bytes) -> tuple[str, bool]:
    choice = _answers.decode(body).choices[0]
    return choice.message.content or "", choice.finish_reason == "stop"


def _read_stream(body: bytes) -> tuple[str, bool]:
    *payloads, last = [event.removeprefix(b"data: ") for event in body.strip().split(b"\n\n")]
    # The chunk with the usage has no choices.
    choices = [choice for payload in payloads for choice in _answers.decode(payload).choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    is_finished = any(choice.finish_reason == "stop" for choice in choices)
    return text, is_finished and last == b"[DONE]"


def _chunk(delta: Document, *, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event(_json(object="chat.completion.chunk", choices=[choice]))


def _usage(pieces: int) -> dict[str, int]:
    return {"prompt_tokens": 8, "completion_tokens": pieces, "total_tokens": 8 + pieces}


def _json(**members: object) -> bytes:
    return msgspec.json.encode(_HEAD | members)


def _event(payload: bytes) -> bytes:
    return b"data: " + payload + b"\n\n"
