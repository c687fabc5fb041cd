"""What the endpoints of the Ollama dialect are asked, and who writes their answers."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias

import attrs

from cortexd.domain.answer import Batch, Embedded, collect
from cortexd.domain.errors import CortexError
from cortexd.http.doors.model_door import Asked
from cortexd.http.doors.replies import Writer
from cortexd.http.error_responses import ollama_error
from cortexd.wire.ndjson import encode_line
from cortexd.wire.ollama.embeddings import read_embedding_request, write_embeddings
from cortexd.wire.ollama.read_generate import read_generate_request
from cortexd.wire.ollama.read_request import read_chat_request
from cortexd.wire.ollama.write_answer import (
    AnswerEncoder,
    Durations,
    Head,
    Shape,
    chat_shape,
    encode_loaded,
    generate_shape,
)
from cortexd.wire.parsed_chat import ParsedChat

_NS_PER_S: Final = 1_000_000_000

Ask: TypeAlias = Callable[[dict[str, object]], Asked]
"""Reads a request, and says who writes its answer. Errors: `RequestRefused`."""


@attrs.frozen(kw_only=True)
class Clocks:
    """`wall` gives seconds since 1970, `monotonic` seconds since whenever."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


@attrs.frozen
class OllamaDialect:
    """Ollama's way of asking, answering and failing; `ask` is an endpoint's own."""

    ask: Ask
    door: str = "ollama"
    stream_type: str = "application/x-ndjson"
    takes_bare_curl: bool = True
    request_id_headers: tuple[str, ...] = ("x-request-id",)

    def parse(self, document: dict[str, object]) -> Asked:
        """What the request says; the time that its answer takes runs from here."""
        return self.ask(document)

    def encode_error(self, error: CortexError) -> bytes:
        """The error's text as a body."""
        return ollama_error(error)

    def encode_error_frame(self, error: CortexError) -> bytes:
        """The error's text as a line; the official clients raise it."""
        return encode_line(ollama_error(error))


class AnswerWriter:
    """Writes one answer, as a stream or whole, and tells how long it took.

    `asked_s` and `first_s`: when the request and the first events came, on `clock`.
    """

    def __init__(
        self, encoder: AnswerEncoder, *, asked_s: float, first_s: float, clock: Callable[[], float]
    ) -> None:
        self._encoder = encoder
        self._before_first_ns = round((first_s - asked_s) * _NS_PER_S)
        self._first_s = first_s
        self._clock = clock

    def encode_batch(self, events: Batch) -> bytes:
        """The lines of a batch."""
        return self._encoder.encode_batch(events, self._durations())

    def encode_answer(self, events: Batch) -> bytes:
        """The whole answer as one document."""
        return self._encoder.encode_answer(events, self._durations())

    def _durations(self) -> Durations:
        return Durations(
            before_first_ns=self._before_first_ns,
            after_first_ns=round((self._clock() - self._first_s) * _NS_PER_S),
        )


@attrs.frozen
class LoadedWriter:
    """Writes that a model is there."""

    head: Head

    def encode_batch(self, events: Batch) -> bytes:  # noqa: ARG002  there is nothing more to tell
        """The one line of a stream."""
        return encode_line(encode_loaded(self.head))

    def encode_answer(self, events: Batch) -> bytes:  # noqa: ARG002  as above
        """The document."""
        return encode_loaded(self.head)


@attrs.frozen
class EmbeddingsWriter:
    """Writes vectors, which come all at once."""

    model: str
    asked_s: float
    clock: Callable[[], float]

    def encode_batch(self, events: Batch) -> bytes:
        """All of it as a line; nobody can ask for a stream of them."""
        return encode_line(self.encode_answer(events))

    def encode_answer(self, events: Batch) -> bytes:
        """All of it as a document."""
        [embedded] = [event for event in events if isinstance(event, Embedded)]
        return write_embeddings(
            embedded,
            collect(events).finished.usage,
            model=self.model,
            total_ns=round((self.clock() - self.asked_s) * _NS_PER_S),
        )


def ask_chat(document: dict[str, object], *, clocks: Clocks) -> Asked:
    """POST /api/chat."""
    return _answered(read_chat_request(document), chat_shape, clocks)


def ask_generate(document: dict[str, object], *, clocks: Clocks) -> Asked:
    """POST /api/generate. Without messages, the request is for the model to be loaded."""
    parsed = read_generate_request(document)
    if parsed.request.messages:
        return _answered(parsed, generate_shape, clocks)
    return Asked(
        parsed.request,
        lambda model: LoadedWriter(Head(model=model, created_at=rfc_3339(clocks.wall()))),
    )


def ask_embed(document: dict[str, object], *, clock: Callable[[], float]) -> Asked:
    """POST /api/embed. `clock` is monotonic, in seconds."""
    begin = partial(EmbeddingsWriter, asked_s=clock(), clock=clock)
    return Asked(read_embedding_request(document), begin)


def rfc_3339(wall_s: float) -> str:
    """A time as this dialect writes it."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="microseconds")


def _answered(parsed: ParsedChat, shape: Shape, clocks: Clocks) -> Asked:
    asked_s = clocks.monotonic()

    def begin(model: str) -> Writer:
        head = Head(model=model, created_at=rfc_3339(clocks.wall()))
        return AnswerWriter(
            AnswerEncoder(head, shape),
            asked_s=asked_s,
            first_s=clocks.monotonic(),
            clock=clocks.monotonic,
        )

    return Asked(parsed.request, begin, stream=parsed.stream)
