"""The worker in front of the engine: its dialect is OpenAI's, its address changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from cortexd.domain.answer import Embedded
from cortexd.domain.chat import ChatRequest, Role, Sampling, text_message
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
from cortexd.providers.answer_stream import AnswerStream
from cortexd.providers.control_client import ControlClient
from cortexd.providers.transport.client import HttpClient
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.wire.openai.read_answer import ChunkDecoder, decode_error
from cortexd.wire.openai.write_request import write_chat_request
from cortexd.wire.strict_json import dumps

CHAT_PATH: Final = "/v1/chat/completions"
HEALTH_PATH: Final = "/health"
STREAM_TYPE: Final = "text/event-stream"

FEATURES: Final = frozenset(
    {
        Feature.CHAT,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.LOGPROBS,
        Feature.TOP_LOGPROBS,
        Feature.MIN_P,
        Feature.PENALTIES,
        Feature.PREFILL,
        Feature.REPEAT_PENALTY,
        Feature.SEED,
        Feature.STOP,
        Feature.TOP_K,
        Feature.HIGH_TEMPERATURE,
    }
)
"""What llama.cpp does with any weights. Tools are not among it: where the model's template has no
place for them, as that of SmolLM2, the engine leaves them out and says nothing.
"""

RESTART_S: Final = 2.0
"""How long an engine takes to come back, told to clients that find none."""


@attrs.frozen
class _Engine:
    """An engine that runs, and how it is reached."""

    endpoint: Endpoint
    client: HttpClient


class EmbeddedWorker:
    """A worker of type `embedded`.

    It answers one request after the other: `max_concurrency` should be 1.
    """

    def __init__(self, settings: WorkerSettings, parts: AdapterParts) -> None:
        self._settings = settings
        self._parts = parts
        self._embedded = parts.embedded
        self._address = parts.address
        self._engine: _Engine | None = None

    def info(self) -> WorkerInfo:
        """What is known of the worker without asking it."""
        return WorkerInfo(
            name=self._settings.name,
            type=self._settings.type,
            priority=self._settings.priority,
            models=(self._embedded.model,),
            features=FEATURES,
            resumes=self._settings.resumes(by_itself=True),
            context_tokens=self._embedded.context_tokens,
        )

    @property
    def priority(self) -> int:
        """Smaller goes first."""
        return self._settings.priority

    def connections(self) -> ConnectionStatistics | None:
        """How those to the engine of today stand, once it has been asked anything."""
        return None if self._engine is None else self._engine.client.statistics()

    async def aclose(self) -> None:
        """Close the idle connections."""
        if self._engine is not None:
            await self._engine.client.aclose()

    async def health_check(self) -> tuple[str, ...]:
        """The one model, if the engine answers, or would if it were called, or loads after that.

        Errors: `WorkerFailed`.
        """
        # Two bad checks, of one that takes a while to load, would turn away who would wait for it.
        if self._address.rests or self._address.wakes:
            await trio.lowlevel.checkpoint()
            return (self._embedded.model,)
        endpoint = self._find_engine().endpoint
        control = ControlClient(endpoint, decode_error, self._parts.new_transport)
        await control.get(HEALTH_PATH, {})
        return (self._embedded.model,)

    @asynccontextmanager
    async def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> AsyncIterator[ChatStream]:
        """Ask for an answer from `model`; see `ChatProvider`. There are no keys."""
        del key
        request = self._with_defaults(request)
        document = write_chat_request(request, model=model) | _own_words(request.sampling)
        with self._address.in_use():
            await self._address.wake()
            async with self._find_engine().client.stream(
                CHAT_PATH, {}, dumps(document), media_type=STREAM_TYPE
            ) as pieces:
                yield AnswerStream(self._settings.name, pieces, ChunkDecoder(self._parts.new_id()))

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        """Fail: the engine is there for chats, and says so in its features."""
        del request, model, key
        await trio.lowlevel.checkpoint()
        raise WorkerFailed(self._settings.name, FailureKind.REFUSED, "it has no embeddings")

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        """Not told."""
        del request, model, key
        await trio.lowlevel.checkpoint()
        return None

    def _with_defaults(self, request: ChatRequest) -> ChatRequest:
        messages, sampling = request.messages, request.sampling
        brings_one = any(message.role is Role.SYSTEM for message in messages)
        if self._embedded.system_prompt and not brings_one:
            messages = (text_message(Role.SYSTEM, self._embedded.system_prompt), *messages)
        if sampling.max_output_tokens is None:
            limit = self._embedded.answer_tokens_max
            sampling = attrs.evolve(sampling, max_output_tokens=limit)
        if sampling.repeat_penalty is None:
            sampling = attrs.evolve(sampling, repeat_penalty=self._embedded.repeat_penalty)
        return attrs.evolve(request, messages=messages, sampling=sampling)

    def _find_engine(self) -> _Engine:
        """The engine that runs now.

        Errors: `WorkerFailed` where none does.
        """
        socket = self._address.socket
        if socket is None:
            name, reason = self._settings.name, self._address.reason
            if self._address.is_coming:
                raise WorkerFailed(name, FailureKind.OVERLOADED, reason, RESTART_S)
            raise WorkerFailed(name, FailureKind.UNREACHABLE, reason)
        if self._engine is None or self._engine.endpoint.unix_socket != socket:
            # The client before needs no closing: it keeps no idle connections.
            self._engine = self._reach(socket)
        return self._engine

    def _reach(self, socket: Path) -> _Engine:
        endpoint = Endpoint(
            worker=self._settings.name,
            base_url="http://engine",
            connect_s=self._settings.connect_seconds,
            slots=self._settings.max_concurrency,
            # llama.cpp now and then closes a connection that it has just promised to keep, and a
            # new one costs nothing on a Unix socket.
            idle_connections_max=0,
            unix_socket=socket,
        )
        return _Engine(endpoint, HttpClient(endpoint, decode_error, self._parts.dial))


def _own_words(sampling: Sampling) -> dict[str, object]:
    """What llama.cpp has beyond the dialect of OpenAI."""
    words = {"min_p": sampling.min_p, "repeat_penalty": sampling.repeat_penalty}
    return {name: value for name, value in words.items() if value is not None}
