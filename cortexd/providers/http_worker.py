"""What all workers behind an HTTP address have in common; only the dialect differs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs

from cortexd.domain.chat import ChatRequest
from cortexd.domain.worker import WorkerInfo, WorkerSettings
from cortexd.ports import ChatStream
from cortexd.providers.answer_stream import AnswerStream, DecoderFactory
from cortexd.providers.http_client import Endpoint, ErrorDecoder, HttpClient
from cortexd.providers.key_rotation import KeyRotation
from cortexd.wire.strict_json import dumps


@attrs.frozen(kw_only=True)
class Dialect:
    """How a chat is asked for and answered over HTTP. Paths are relative to the base URL."""

    chat_path: str
    stream_type: str
    encode_request: Callable[..., dict[str, object]]
    new_decoder: DecoderFactory
    decode_error: ErrorDecoder


class HttpWorker:
    """The `ChatProvider` of a worker at `base_url`, but for its health check.

    Errors: `ValueError` for settings that can never work.
    """

    def __init__(self, settings: WorkerSettings, dialect: Dialect, *, base_url: str) -> None:
        self._settings = settings
        self._dialect = dialect
        self._keys = KeyRotation(settings.api_keys)
        self._client = HttpClient(
            Endpoint(
                worker=settings.name,
                base_url=base_url,
                connect_s=settings.connect_seconds,
                idle_connections_max=settings.max_concurrency,
            ),
            dialect.decode_error,
        )

    def info(self) -> WorkerInfo:
        """What is known of the worker without asking it."""
        return WorkerInfo(
            name=self._settings.name,
            type=self._settings.type,
            priority=self._settings.priority,
            models=self._settings.models,
        )

    @property
    def priority(self) -> int:
        """Smaller goes first."""
        return self._settings.priority

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def open_chat(self, request: ChatRequest, *, model: str) -> AsyncIterator[ChatStream]:
        """Ask for an answer from `model`; see `ChatProvider`."""
        dialect = self._dialect
        body = dumps(dialect.encode_request(request, model=model))
        async with self._client.stream(
            dialect.chat_path, self._keys.next_headers(), body, media_type=dialect.stream_type
        ) as pieces:
            yield AnswerStream(self._settings.name, pieces, dialect.new_decoder())
