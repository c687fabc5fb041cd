"""The OpenAI dialect: POST /v1/chat/completions and /v1/embeddings, GET /v1/models."""

from collections.abc import Callable

import attrs

from cortexd.domain.answer import Batch, Embedded, Finished, collect
from cortexd.domain.errors import CortexError
from cortexd.http.doors.model_door import Asked, ModelDoor
from cortexd.http.doors.replies import Writer
from cortexd.http.error_responses import openai_error
from cortexd.pipeline.exchange import ChatService
from cortexd.wire.openai.embeddings import read_embedding_request, write_embeddings
from cortexd.wire.openai.read_request import read_chat_request
from cortexd.wire.openai.write_answer import StreamEncoder, encode_answer
from cortexd.wire.sse import encode_data


class OpenAiWriter:
    """Writes one answer, as a stream or whole."""

    def __init__(self, *, answer_id: str, created: int, model: str, include_usage: bool) -> None:
        self._answer_id = answer_id
        self._created = created
        self._model = model
        self._stream = StreamEncoder(
            answer_id=answer_id, created=created, model=model, include_usage=include_usage
        )

    def encode_batch(self, events: Batch) -> bytes:
        """The chunks of a batch, `[DONE]` behind the last."""
        return self._stream.encode(events)

    def encode_answer(self, events: Batch) -> bytes:
        """The whole answer as a completion."""
        return encode_answer(
            collect(events), answer_id=self._answer_id, created=self._created, model=self._model
        )


@attrs.frozen
class EmbeddingsWriter:
    """Writes the vectors of one request, which are never streamed."""

    model: str
    as_base64: bool

    def encode_batch(self, events: Batch) -> bytes:
        """The same as the whole: there is one batch."""
        return self.encode_answer(events)

    def encode_answer(self, events: Batch) -> bytes:
        """The vectors as one document."""
        embedded = next(event for event in events if isinstance(event, Embedded))
        finished = next(event for event in events if isinstance(event, Finished))
        return write_embeddings(
            embedded, model=self.model, usage=finished.usage, as_base64=self.as_base64
        )


@attrs.frozen(kw_only=True)
class OpenAiReplies:
    """OpenAI's way of failing, and what else all its endpoints have in common."""

    door: str = "openai"
    stream_type: str = "text/event-stream; charset=utf-8"
    takes_bare_curl: bool = False
    request_id_headers: tuple[str, ...] = ("x-request-id",)

    def encode_error(self, error: CortexError) -> bytes:
        """The error object as a body."""
        return openai_error(error)

    def encode_error_frame(self, error: CortexError) -> bytes:
        """The error object as an event; the official clients raise it."""
        return encode_data(openai_error(error))


@attrs.frozen(kw_only=True)
class OpenAiDialect(OpenAiReplies):
    """OpenAI's way of chatting."""

    new_id: Callable[[], str]
    wall_clock: Callable[[], float]

    def parse(self, document: dict[str, object]) -> Asked:
        """What the request says."""
        parsed = read_chat_request(document)

        def begin(model: str) -> Writer:
            return OpenAiWriter(
                # An id of its own: the request's may come twice from a client.
                answer_id=f"chatcmpl-{self.new_id()}",
                created=int(self.wall_clock()),
                model=model,
                include_usage=parsed.include_usage,
            )

        return Asked(parsed.request, begin, stream=parsed.stream)


class OpenAiEmbeddingDialect(OpenAiReplies):
    """OpenAI's way of turning texts into vectors."""

    def parse(self, document: dict[str, object]) -> Asked:
        """What the request says."""
        parsed = read_embedding_request(document)
        return Asked(parsed.request, lambda model: EmbeddingsWriter(model, parsed.as_base64))


def openai_chat_door(
    service: ChatService, *, new_id: Callable[[], str], wall_clock: Callable[[], float]
) -> ModelDoor:
    """POST /v1/chat/completions. `wall_clock` gives seconds since 1970."""
    dialect = OpenAiDialect(new_id=new_id, wall_clock=wall_clock)
    return ModelDoor(dialect, service, new_id)


def openai_embeddings_door(service: ChatService, *, new_id: Callable[[], str]) -> ModelDoor:
    """POST /v1/embeddings."""
    return ModelDoor(OpenAiEmbeddingDialect(), service, new_id)
