"""What a worker of the OpenAI dialect sends: streamed answers, errors and its list of models.

Source of the protocol facts: the types and `_streaming.py` of the official Python client (openai).
"""

from typing import Final

import msgspec

from cortexd.domain.answer import AnswerEvent, Batch, Finished, FinishReason, TextDelta
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.sse import SseDecoder, SseEvent
from cortexd.wire.upstream_failure import read_error, unreadable_error

_STATUS_OF_A_STREAM: Final = 200

_FINISH_REASONS: Final = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: object = None


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model] | None


_chunks: Final = msgspec.json.Decoder(_Chunk)
_documents: Final = msgspec.json.Decoder[object]()
_model_lists: Final = msgspec.json.Decoder(_ModelList)


class ChunkDecoder:
    """Turns the body of a streamed answer into events.

    `Finished` is held back until `[DONE]`, because the chunk with the usage may come after the one
    with the finish reason. An error takes the events of its own read with it: as long as nothing
    has been passed on, another worker can still answer.
    """

    def __init__(self, answer_id: str) -> None:
        self._answer_id = answer_id
        self._events = SseDecoder()
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._finished = False

    @property
    def finished(self) -> bool:
        """Whether `Finished` has been given out; what the worker still sends is of no interest."""
        return self._finished

    def feed(self, data: bytes) -> Batch | tuple[()]:
        """What these bytes bring, possibly nothing.

        Errors: `MalformedStream`; `UpstreamError` for an error inside the stream.
        """
        batch: list[AnswerEvent] = []
        for event in self._events.feed(data):
            if self._finished:
                break
            batch += self._read(event)
        return tuple(batch)

    def close(self) -> Batch | tuple[()]:
        """To be called at the clean end of the body: `Finished`, if it is still owed.

        Errors: `MalformedStream` where the answer is not complete.
        """
        return () if self._finished else self._finish()

    def _read(self, event: SseEvent) -> Batch | tuple[()]:
        if event.data == "[DONE]":
            return self._finish()
        if not event.data:
            return ()
        chunk = foreign_json.read(_chunks, event.data, what="a chunk")
        if chunk.error is not None:
            raise read_error(chunk.error, status=_STATUS_OF_A_STREAM)
        if event.event == "error":
            raise read_error(event.data, status=_STATUS_OF_A_STREAM)
        if chunk.usage is not None:
            self._usage = Usage(chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0)
        # The usage chunk has no choices. There is never a second one, since `n` is never sent.
        return self._read_choice(chunk.choices[0]) if chunk.choices else ()

    def _read_choice(self, choice: _Choice) -> Batch | tuple[()]:
        if choice.finish_reason:
            try:
                self._reason = _FINISH_REASONS[choice.finish_reason]
            except KeyError:
                # Any other reason (vLLM's `abort`, say) does not tell that the answer is whole.
                detail = f"unknown finish_reason {choice.finish_reason[:100]!r}"
                raise MalformedStream(detail) from None
        if choice.delta is None:
            return ()
        # A refusal is the answer's text under another name.
        text = (choice.delta.content or "") + (choice.delta.refusal or "")
        return (TextDelta(text),) if text else ()

    def _finish(self) -> Batch:
        if self._reason is None:
            raise MalformedStream("truncated: the stream ended without a finish_reason")
        self._finished = True
        return (Finished(self._reason, self._usage),)


def decode_error(answer: FailedAnswer) -> UpstreamError:
    """The failure behind an answer that is no stream: an error status, or a 200 with JSON."""
    try:
        document = foreign_json.read(_documents, answer.body, what="an error")
    except MalformedStream:
        return unreadable_error(answer.body, status=answer.status)
    if isinstance(document, dict) and "error" in document:
        return read_error(document["error"], status=answer.status)
    # Older vLLM puts the members of the error at the top level.
    if isinstance(document, dict) and document.get("object") == "error":
        return read_error(document, status=answer.status)
    return unreadable_error(answer.body, status=answer.status)


def decode_models(body: bytes) -> tuple[str, ...]:
    """The names in the answer to GET /v1/models.

    Errors: `MalformedStream` for a body that is no such list.
    """
    models = foreign_json.read(_model_lists, body, what="a list of models").data
    # Ollama's own /v1/models says null where it has none.
    return tuple(model.id for model in models or ())
