"""Workers that speak the OpenAI dialect: OpenAI itself, vLLM, llama.cpp, LM Studio and more."""

from typing import Final

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.worker import WorkerSettings
from cortexd.providers.answer_stream import wire_failures
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import Dialect, HttpWorker
from cortexd.wire.openai.read_answer import ChunkDecoder, decode_error, decode_models
from cortexd.wire.openai.write_request import write_chat_request

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"
MODELS_PATH: Final = "/models"

FEATURES: Final = frozenset(
    {
        Feature.CHAT,
        Feature.PENALTIES,
        Feature.SEED,
        Feature.STOP,
        Feature.HIGH_TEMPERATURE,
    }
)

DIALECT: Final = Dialect(
    features=FEATURES,
    chat_path="/chat/completions",
    stream_type="text/event-stream",
    write_chat_request=write_chat_request,
    new_decoder=ChunkDecoder,
    decode_error=decode_error,
)


class OpenAICompatibleWorker(HttpWorker):
    """A worker of type `openai`.

    `base_url` may end with /v1 or not. Declared `models` are what it serves, whatever else the
    server offers.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        base_url = _versioned(check_base_url(settings.base_url or DEFAULT_BASE_URL))
        super().__init__(settings, DIALECT, base_url=base_url)

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
                return await self._client.get(MODELS_PATH, self._next_headers())
            except WorkerFailed as failure:
                if failure.kind is not FailureKind.BAD_KEY:
                    raise
        return await self._client.get(MODELS_PATH, self._next_headers())


def _versioned(base_url: str) -> str:
    return base_url if base_url.endswith("/v1") else f"{base_url}/v1"
