"""What all workers behind an HTTP address have in common; only the dialect differs."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeAlias
from urllib.parse import quote

import attrs

from cortexd.domain.answer import Embedded
from cortexd.domain.chat import ChatRequest
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.ids import FIRST_KEY, KeyIndex
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerInfo, WorkerSettings
from cortexd.ports import ChatStream
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.answer_stream import AnswerStream, DecoderFactory, wire_failures
from cortexd.providers.control_client import ControlClient
from cortexd.providers.key_headers import KeyedHeaders, KeyHeaders, bearer
from cortexd.providers.transport.client import HttpClient
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.refusal import ErrorDecoder
from cortexd.wire.strict_json import dumps

EMBEDDINGS_BYTES_MAX: Final = 64 * 1024 * 1024

WriteRequest: TypeAlias = Callable[..., dict[str, object]]
"""Takes a request and, by the name `model`, the worker's own name of the model."""


@attrs.frozen(kw_only=True)
class EmbeddingCall:
    """How vectors are asked for, and read from a document."""

    path: str
    write_request: WriteRequest
    read_answer: Callable[[bytes], tuple[Embedded, Usage | None]]


@attrs.frozen(kw_only=True)
class TokenCountCall:
    """How a count of tokens is asked for, and read from a document."""

    path: str
    write_request: WriteRequest
    read_answer: Callable[[bytes], int]


@attrs.frozen(kw_only=True)
class Dialect:
    """How a worker is asked, and how it answers, over HTTP.

    Paths are relative to the base URL; `{model}` in one stands for the model's name. `headers` go
    with every request, `key_headers` carry the key. GET `models_path` lists the models: of all that
    a worker can be asked, it costs nothing and proves that it serves. `resumes`: it goes on exactly
    where an assistant's message ends, and needs no setting for that.
    """

    features: frozenset[Feature]
    chat_path: str
    stream_type: str
    write_chat_request: WriteRequest
    new_decoder: DecoderFactory
    decode_error: ErrorDecoder
    models_path: str
    decode_models: Callable[[bytes], tuple[str, ...]]
    headers: Mapping[str, str] = attrs.Factory(dict)
    key_headers: KeyHeaders = bearer
    embedding: EmbeddingCall | None = None
    token_count: TokenCountCall | None = None
    resumes: bool = False


class HttpWorker:
    """The `ChatProvider` of a worker at `base_url`.

    Errors: `ValueError` for settings that can never work.
    """

    def __init__(
        self, settings: WorkerSettings, dialect: Dialect, parts: AdapterParts, *, base_url: str
    ) -> None:
        self._settings = settings
        self._dialect = dialect
        self._new_id = parts.new_id
        self._headers = KeyedHeaders(dialect.headers, settings.api_keys, dialect.key_headers)
        self._probe_key = FIRST_KEY
        endpoint = Endpoint(
            worker=settings.name,
            base_url=base_url,
            connect_s=settings.connect_seconds,
            slots=settings.max_concurrency,
            idle_connections_max=settings.max_concurrency,
        )
        self._client = HttpClient(endpoint, dialect.decode_error, parts.dial)
        self._control = ControlClient(endpoint, dialect.decode_error, parts.new_transport)

    def info(self) -> WorkerInfo:
        """What is known of the worker without asking it."""
        return WorkerInfo(
            name=self._settings.name,
            type=self._settings.type,
            priority=self._settings.priority,
            models=self._settings.models,
            features=self._dialect.features,
            resumes=self._settings.resumes(by_itself=self._dialect.resumes),
            context_tokens=self._settings.context_tokens,
        )

    @property
    def priority(self) -> int:
        """Smaller goes first."""
        return self._settings.priority

    def connections(self) -> ConnectionStatistics | None:
        """How its connections stand."""
        return self._client.statistics()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def health_check(self) -> tuple[str, ...]:
        """The declared models, whatever else the server offers, or else those that it lists.

        Errors: `WorkerFailed`.
        """
        with wire_failures(self._settings.name):
            listed = self._dialect.decode_models(await self._ask(self._dialect.models_path))
        return self._settings.models or listed

    @asynccontextmanager
    async def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> AsyncIterator[ChatStream]:
        """Ask for an answer from `model`; see `ChatProvider`."""
        dialect = self._dialect
        body = dumps(dialect.write_chat_request(request, model=model))
        async with self._client.stream(
            _path(dialect.chat_path, model),
            self._headers.carrying(key),
            body,
            media_type=dialect.stream_type,
        ) as pieces:
            yield AnswerStream(self._settings.name, pieces, dialect.new_decoder(self._new_id()))

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        """Turn texts into vectors; see `ChatProvider`."""
        call = self._dialect.embedding
        if call is None:
            raise WorkerFailed(self._settings.name, FailureKind.REFUSED, "it has no embeddings")
        answer = await self._client.post(
            _path(call.path, model),
            self._headers.carrying(key),
            dumps(call.write_request(request, model=model)),
            bytes_max=EMBEDDINGS_BYTES_MAX,
        )
        with wire_failures(self._settings.name):
            return call.read_answer(answer)

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        """How many tokens the prompt has; see `ChatProvider`."""
        call = self._dialect.token_count
        if call is None:
            return None
        answer = await self._client.post(
            _path(call.path, model),
            self._headers.carrying(key),
            dumps(call.write_request(request, model=model)),
        )
        with wire_failures(self._settings.name):
            return call.read_answer(answer)

    async def _ask(self, path: str) -> bytes:
        """What the worker says of itself, with the key that was good last time, else another."""
        # One good key is enough to serve with.
        *others, last = sorted(self._headers.keys, key=lambda key: key != self._probe_key)
        for key in others:
            try:
                return await self._ask_with(key, path)
            except WorkerFailed as failure:
                if failure.kind is not FailureKind.BAD_KEY:
                    raise
        return await self._ask_with(last, path)

    async def _ask_with(self, key: KeyIndex, path: str) -> bytes:
        answer = await self._control.get(path, self._headers.carrying(key))
        self._probe_key = key
        return answer


def _path(template: str, model: str) -> str:
    # A model's name is the client's choice where none is declared: it must stay one segment.
    return template.replace("{model}", quote(model, safe=""))
