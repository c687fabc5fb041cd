"""Workers that are Ollama servers."""

from typing import Final

from cortexd.domain.feature import Feature
from cortexd.domain.worker import WorkerSettings
from cortexd.providers.answer_stream import wire_failures
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import Dialect, HttpWorker
from cortexd.wire.ollama.read_answer import LineDecoder, decode_error, decode_models
from cortexd.wire.ollama.write_request import write_chat_request

DEFAULT_BASE_URL: Final = "http://localhost:11434"
VERSION_PATH: Final = "/api/version"
TAGS_PATH: Final = "/api/tags"

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
    chat_path="/api/chat",
    stream_type="application/x-ndjson",
    write_chat_request=write_chat_request,
    new_decoder=LineDecoder,
    decode_error=decode_error,
)


class OllamaWorker(HttpWorker):
    """A worker of type `ollama`.

    Keys are for a server behind a proxy that asks for one, or for Ollama's cloud. Declared `models`
    are what it serves, whatever else the server has.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        base_url = check_base_url(settings.base_url or DEFAULT_BASE_URL)
        super().__init__(settings, DIALECT, base_url=base_url)

    async def health_check(self) -> tuple[str, ...]:
        """The declared models, else those that are installed; no model is loaded for it.

        Errors: `WorkerFailed`.
        """
        headers = self._next_headers()
        # Whether it is an Ollama at all, before its list of models is believed.
        await self._client.get(VERSION_PATH, headers)
        with wire_failures(self._settings.name):
            installed = decode_models(await self._client.get(TAGS_PATH, headers))
        return self._settings.models or installed
