"""The OpenAI dialect: POST /v1/chat/completions and GET /v1/models."""

from collections.abc import Callable

import attrs

from cortexd.domain.answer import Batch, collect
from cortexd.domain.errors import CortexError
from cortexd.http.doors.json_door import JsonDoor
from cortexd.http.doors.model_door import Asked, ModelDoor
from cortexd.http.doors.replies import Writer
from cortexd.http.doors.served_model import ServedModels
from cortexd.http.error_responses import openai_error
from cortexd.pipeline.exchange import ChatService
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
class OpenAiDialect:
    """OpenAI's way of asking, answering and failing."""

    new_id: Callable[[], str]
    wall_clock: Callable[[], float]
    door: str = "openai"
    stream_type: str = "text/event-stream; charset=utf-8"
    takes_bare_curl: bool = False
    request_id_headers: tuple[str, ...] = ("x-request-id",)

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

    def encode_error(self, error: CortexError) -> bytes:
        """The error object as a body."""
        return openai_error(error)

    def encode_error_frame(self, error: CortexError) -> bytes:
        """The error object as an event; the official clients raise it."""
        return encode_data(openai_error(error))


def openai_chat_door(
    service: ChatService, *, new_id: Callable[[], str], wall_clock: Callable[[], float]
) -> ModelDoor:
    """POST /v1/chat/completions. `wall_clock` gives seconds since 1970."""
    return ModelDoor(OpenAiDialect(new_id, wall_clock), service, new_id)


def openai_models_door(served_models: ServedModels, *, wall_clock: Callable[[], float]) -> JsonDoor:
    """GET /v1/models. A model of unknown age is as old as the door."""
    opened_s = wall_clock()

    def describe() -> tuple[int, object]:
        models = [
            {
                "id": model.name,
                "object": "model",
                "created": int(opened_s if model.created_s is None else model.created_s),
                "owned_by": ", ".join(model.workers),
            }
            for model in served_models()
        ]
        return 200, {"object": "list", "data": models}

    return JsonDoor(describe)
