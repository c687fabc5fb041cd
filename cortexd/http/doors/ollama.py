"""The Ollama dialect: POST /api/chat, GET /api/tags and GET /api/version."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import attrs

from cortexd.domain.answer import Batch, collect
from cortexd.domain.errors import CortexError
from cortexd.http.doors.json_door import JsonDoor
from cortexd.http.doors.model_door import Asked, ModelDoor
from cortexd.http.doors.replies import Writer
from cortexd.http.doors.served_model import ServedModels
from cortexd.http.error_responses import ollama_error
from cortexd.pipeline.exchange import ChatService
from cortexd.wire.ndjson import encode_line
from cortexd.wire.ollama.read_request import read_chat_request
from cortexd.wire.ollama.write_answer import Durations, Head, encode_answer, encode_batch

_NS_PER_S: Final = 1_000_000_000


class OllamaWriter:
    """Writes one answer, as a stream or whole, and tells how long it took.

    `asked_s` and `first_s`: when the request and the first events came, on `clock`.
    """

    def __init__(
        self, head: Head, *, asked_s: float, first_s: float, clock: Callable[[], float]
    ) -> None:
        self._head = head
        self._before_first_ns = round((first_s - asked_s) * _NS_PER_S)
        self._first_s = first_s
        self._clock = clock

    def encode_batch(self, events: Batch) -> bytes:
        """The lines of a batch."""
        return encode_batch(events, head=self._head, durations=self._durations())

    def encode_answer(self, events: Batch) -> bytes:
        """The whole answer as one document."""
        return encode_answer(collect(events), head=self._head, durations=self._durations())

    def _durations(self) -> Durations:
        return Durations(
            before_first_ns=self._before_first_ns,
            after_first_ns=round((self._clock() - self._first_s) * _NS_PER_S),
        )


@attrs.frozen
class OllamaDialect:
    """Ollama's way of asking, answering and failing."""

    wall_clock: Callable[[], float]
    clock: Callable[[], float]
    door: str = "ollama"
    stream_type: str = "application/x-ndjson"
    takes_bare_curl: bool = True
    request_id_headers: tuple[str, ...] = ("x-request-id",)

    def parse(self, document: dict[str, object]) -> Asked:
        """What the request says; the time runs from here."""
        asked_s = self.clock()
        parsed = read_chat_request(document)

        def begin(model: str) -> Writer:
            head = Head(model=model, created_at=_rfc_3339(self.wall_clock()))
            return OllamaWriter(head, asked_s=asked_s, first_s=self.clock(), clock=self.clock)

        return Asked(parsed.request, begin, stream=parsed.stream)

    def encode_error(self, error: CortexError) -> bytes:
        """The error's text as a body."""
        return ollama_error(error)

    def encode_error_frame(self, error: CortexError) -> bytes:
        """The error's text as a line; the official clients raise it."""
        return encode_line(ollama_error(error))


def ollama_chat_door(
    service: ChatService,
    *,
    new_id: Callable[[], str],
    wall_clock: Callable[[], float],
    clock: Callable[[], float],
) -> ModelDoor:
    """POST /api/chat. `wall_clock` gives seconds since 1970, `clock` is monotonic, in seconds."""
    return ModelDoor(OllamaDialect(wall_clock, clock), service, new_id)


def ollama_tags_door(served_models: ServedModels, *, wall_clock: Callable[[], float]) -> JsonDoor:
    """GET /api/tags. Size and digest are unknown here; a model of unknown age is the door's."""
    opened_s = wall_clock()

    def describe() -> tuple[int, object]:
        models = [
            {
                "name": model.name,
                "model": model.name,
                "modified_at": _rfc_3339(opened_s if model.created_s is None else model.created_s),
                "size": 0,
                "digest": "",
                "details": {},
            }
            for model in served_models()
        ]
        return 200, {"models": models}

    return JsonDoor(describe)


def ollama_version_door(version: str) -> JsonDoor:
    """GET /api/version."""
    return JsonDoor(lambda: (200, {"version": version}))


def _rfc_3339(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="microseconds")
