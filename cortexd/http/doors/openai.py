"""The OpenAI dialect: POST /v1/chat/completions and GET /v1/models."""

from collections.abc import Callable

import attrs

from cortexd.domain.chat import Batch, Finished
from cortexd.domain.errors import CortexError
from cortexd.http.doors.chat_door import BeginAnswer, ChatDoor, Writer
from cortexd.http.doors.json_door import JsonDoor
from cortexd.http.doors.served_model import ServedModels
from cortexd.http.error_responses import openai_error
from cortexd.pipeline.exchange import ChatService
from cortexd.wire.openai_chat_answer import StreamEncoder, encode_answer
from cortexd.wire.openai_chat_request import parse_request
from cortexd.wire.parsed_chat import ParsedChat
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

    def encode_answer(self, text: str, finished: Finished) -> bytes:
        """The whole answer as a completion."""
        return encode_answer(
            text, finished, answer_id=self._answer_id, created=self._created, model=self._model
        )


@attrs.frozen
class OpenAiDialect:
    """OpenAI's way of asking, answering and failing."""

    new_id: Callable[[], str]
    wall_clock: Callable[[], float]
    door: str = "openai"
    stream_type: str = "text/event-stream; charset=utf-8"
    takes_bare_curl: bool = False

    def parse(self, document: dict[str, object]) -> ParsedChat:
        """What the request says."""
        return parse_request(document)

    def receive(self, parsed: ParsedChat) -> BeginAnswer:
        """Each answer gets an id of its own: the request's may come twice from a client."""

        def begin(model: str) -> Writer:
            return OpenAiWriter(
                answer_id=f"chatcmpl-{self.new_id()}",
                created=int(self.wall_clock()),
                model=model,
                include_usage=parsed.include_usage,
            )

        return begin

    def encode_error(self, error: CortexError) -> bytes:
        """The error object as a body."""
        return openai_error(error)

    def encode_error_frame(self, error: CortexError) -> bytes:
        """The error object as an event; the official clients raise it."""
        return encode_data(openai_error(error))


def openai_chat_door(
    service: ChatService, *, new_id: Callable[[], str], wall_clock: Callable[[], float]
) -> ChatDoor:
    """POST /v1/chat/completions. `wall_clock` gives seconds since 1970."""
    return ChatDoor(OpenAiDialect(new_id, wall_clock), service, new_id)


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
