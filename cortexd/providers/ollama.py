"""Workers that are Ollama servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from cortexd.domain.chat import ChatRequest
from cortexd.domain.worker import WorkerInfo, WorkerSettings
from cortexd.ports import ChatStream
from cortexd.providers.answer_stream import AnswerStream, wire_failures
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_client import Endpoint, HttpClient
from cortexd.providers.key_rotation import KeyRotation
from cortexd.wire.ollama_chat import LineDecoder, decode_error, decode_models, encode_request
from cortexd.wire.strict_json import dumps

DEFAULT_BASE_URL: Final = "http://localhost:11434"
CHAT_PATH: Final = "/api/chat"
VERSION_PATH: Final = "/api/version"
TAGS_PATH: Final = "/api/tags"
STREAM_TYPE: Final = "application/x-ndjson"


class OllamaWorker:
    """A worker of type `ollama`.

    Keys are for a server behind a proxy that asks for one, or for Ollama's cloud. Declared `models`
    are what it serves, whatever else the server has.
    Errors: `ValueError` for settings that can never work.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._keys = KeyRotation(settings.api_keys)
        self._client = HttpClient(
            Endpoint(
                worker=settings.name,
                base_url=check_base_url(settings.base_url or DEFAULT_BASE_URL),
                connect_s=settings.connect_seconds,
                idle_connections_max=settings.max_concurrency,
            ),
            decode_error,
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
        """Close the idle connections."""
        await self._client.aclose()

    async def health_check(self) -> tuple[str, ...]:
        """The declared models, else those that are installed; no model is loaded for it.

        Errors: `WorkerFailed`.
        """
        headers = self._keys.next_headers()
        # Whether it is an Ollama at all, before its list of models is believed.
        await self._client.get(VERSION_PATH, headers)
        with wire_failures(self._settings.name):
            installed = decode_models(await self._client.get(TAGS_PATH, headers))
        return self._settings.models or installed

    @asynccontextmanager
    async def open_chat(self, request: ChatRequest, *, model: str) -> AsyncIterator[ChatStream]:
        """Ask for an answer from `model`; see `ChatProvider`."""
        body = dumps(encode_request(request, model=model))
        headers = self._keys.next_headers()
        async with self._client.stream(CHAT_PATH, headers, body, media_type=STREAM_TYPE) as pieces:
            yield AnswerStream(self._settings.name, pieces, LineDecoder())
