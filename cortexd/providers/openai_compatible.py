"""Workers that speak the OpenAI dialect: OpenAI itself, vLLM, llama.cpp, LM Studio and more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.worker import WorkerInfo, WorkerSettings
from cortexd.ports import ChatStream
from cortexd.providers.answer_stream import AnswerStream, wire_failures
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_client import Endpoint, HttpClient
from cortexd.providers.key_rotation import KeyRotation
from cortexd.wire.openai_chat import ChunkDecoder, decode_error, decode_models, encode_request
from cortexd.wire.strict_json import dumps

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"
CHAT_PATH: Final = "/chat/completions"
MODELS_PATH: Final = "/models"
STREAM_TYPE: Final = "text/event-stream"


class OpenAICompatibleWorker:
    """A worker of type `openai`.

    `base_url` may end with /v1 or not. Declared `models` are what it serves, whatever else the
    server offers.
    Errors: `ValueError` for settings that can never work.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._keys = KeyRotation(settings.api_keys)
        self._client = HttpClient(
            Endpoint(
                worker=settings.name,
                base_url=_versioned(check_base_url(settings.base_url or DEFAULT_BASE_URL)),
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
        """The declared models, else those of GET /v1/models.

        Errors: `WorkerFailed`.
        """
        with wire_failures(self._settings.name):
            served = decode_models(await self._get_models())
        return self._settings.models or served

    async def _get_models(self) -> bytes:
        # One good key is enough to serve with.
        for _ in range(len(self._keys) - 1):
            try:
                return await self._client.get(MODELS_PATH, self._keys.next_headers())
            except WorkerFailed as failure:
                if failure.kind is not FailureKind.BAD_KEY:
                    raise
        return await self._client.get(MODELS_PATH, self._keys.next_headers())

    @asynccontextmanager
    async def open_chat(self, request: ChatRequest, *, model: str) -> AsyncIterator[ChatStream]:
        """Ask for an answer from `model`; see `ChatProvider`."""
        body = dumps(encode_request(request, model=model))
        headers = self._keys.next_headers()
        async with self._client.stream(CHAT_PATH, headers, body, media_type=STREAM_TYPE) as pieces:
            yield AnswerStream(self._settings.name, pieces, ChunkDecoder())


def _versioned(base_url: str) -> str:
    return base_url if base_url.endswith("/v1") else f"{base_url}/v1"
