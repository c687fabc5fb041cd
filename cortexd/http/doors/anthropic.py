"""The Anthropic dialect: POST /v1/messages and POST /v1/messages/count_tokens.

Source of the headers: the official Python client (anthropic), which reads `request-id`.
"""

from collections.abc import Callable

import attrs

from cortexd.domain.answer import Batch, InputCounted, collect
from cortexd.domain.errors import CortexError
from cortexd.http.doors.model_door import Asked, ModelDoor
from cortexd.http.doors.replies import Writer
from cortexd.http.error_responses import anthropic_error
from cortexd.pipeline.exchange import ChatService
from cortexd.wire.anthropic.read_request import read_chat_request, read_token_count_request
from cortexd.wire.anthropic.token_count import write_token_count
from cortexd.wire.anthropic.write_answer import Head, encode_answer, without_thoughts
from cortexd.wire.anthropic.write_stream import StreamEncoder, encode_event
from cortexd.wire.errors import MalformedStream


class MessageWriter:
    """Writes one answer, as a stream or whole."""

    def __init__(self, head: Head, *, shows_thoughts: bool) -> None:
        self._head = head
        self._shows_thoughts = shows_thoughts
        self._stream = StreamEncoder(head)

    def encode_batch(self, events: Batch) -> bytes:
        """The events of a batch, `message_stop` behind the last."""
        return self._stream.encode(events if self._shows_thoughts else without_thoughts(events))

    def encode_answer(self, events: Batch) -> bytes:
        """The whole answer as a message."""
        shown = events if self._shows_thoughts else without_thoughts(events)
        return encode_answer(collect(shown), self._head)


class TokenCountWriter:
    """Writes the number of tokens, which never comes as a stream."""

    def encode_batch(self, events: Batch) -> bytes:
        """The document, as soon as the number is there."""
        counted = [event.input_tokens for event in events if isinstance(event, InputCounted)]
        return write_token_count(counted[0]) if counted else b""

    def encode_answer(self, events: Batch) -> bytes:
        """The document."""
        document = self.encode_batch(events)
        if not document:
            raise MalformedStream("no count of tokens")
        return document


@attrs.frozen(kw_only=True)
class AnthropicReplies:
    """Anthropic's way of failing, and what else its endpoints share."""

    door: str = "anthropic"
    stream_type: str = "text/event-stream; charset=utf-8"
    takes_bare_curl: bool = False
    request_id_headers: tuple[str, ...] = ("x-request-id", "request-id")

    def encode_error(self, error: CortexError) -> bytes:
        """The error object as a body."""
        return anthropic_error(error)

    def encode_error_frame(self, error: CortexError) -> bytes:
        """The error object as an event; the official clients raise it."""
        return encode_event(b"error", anthropic_error(error))


@attrs.frozen(kw_only=True)
class MessagesDialect(AnthropicReplies):
    """POST /v1/messages."""

    new_id: Callable[[], str]

    def parse(self, document: dict[str, object]) -> Asked:
        """What the request says."""
        parsed = read_chat_request(document)

        def begin(model: str) -> Writer:
            head = Head(message_id=f"msg_{self.new_id()}", model=model)
            return MessageWriter(head, shows_thoughts=parsed.shows_thoughts)

        return Asked(parsed.request, begin, stream=parsed.stream)


class TokenCountDialect(AnthropicReplies):
    """POST /v1/messages/count_tokens."""

    def parse(self, document: dict[str, object]) -> Asked:
        """What the request says."""
        return Asked(read_token_count_request(document), lambda _: TokenCountWriter())


def anthropic_messages_door(service: ChatService, *, new_id: Callable[[], str]) -> ModelDoor:
    """POST /v1/messages."""
    return ModelDoor(MessagesDialect(new_id=new_id), service, new_id)


def anthropic_token_count_door(service: ChatService, *, new_id: Callable[[], str]) -> ModelDoor:
    """POST /v1/messages/count_tokens."""
    return ModelDoor(TokenCountDialect(), service, new_id)
