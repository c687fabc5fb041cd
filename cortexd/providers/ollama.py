"""Workers that are Ollama servers."""

from typing import Final

from cortexd.domain.feature import Feature
from cortexd.domain.worker import WorkerSettings
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import Dialect, EmbeddingCall, HttpWorker
from cortexd.wire.ollama.embeddings import read_embeddings, write_embedding_request
from cortexd.wire.ollama.read_answer import LineDecoder, decode_error, decode_models
from cortexd.wire.ollama.write_request import write_chat_request

DEFAULT_BASE_URL: Final = "http://localhost:11434"
VERSION_PATH: Final = "/api/version"
TAGS_PATH: Final = "/api/tags"

# Not among them: being made to call a tool or one tool at a time, strict arguments, results marked
# as errors, and images by address, for which the API has no words. Images in results have room in a
# message, but no documentation says that a model gets to see them.
FEATURES: Final = frozenset(
    {
        Feature.CHAT,
        Feature.CONTEXT_SIZE,
        Feature.DIMENSIONS,
        Feature.EMBEDDINGS,
        Feature.HIGH_TEMPERATURE,
        Feature.IMAGES,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.LOGPROBS,
        Feature.MIN_P,
        Feature.NO_TOOL_USE,
        Feature.PENALTIES,
        Feature.REASONING,
        Feature.PREFILL,
        Feature.REPEAT_PENALTY,
        Feature.SEED,
        Feature.STOP,
        Feature.TOOLS,
        Feature.TOP_K,
        Feature.TOP_LOGPROBS,
    }
)

DIALECT: Final = Dialect(
    features=FEATURES,
    chat_path="/api/chat",
    stream_type="application/x-ndjson",
    write_chat_request=write_chat_request,
    new_decoder=LineDecoder,
    decode_error=decode_error,
    models_path=TAGS_PATH,
    decode_models=decode_models,
    embedding=EmbeddingCall(
        path="/api/embed", write_request=write_embedding_request, read_answer=read_embeddings
    ),
    resumes=True,
)


class OllamaWorker(HttpWorker):
    """A worker of type `ollama`.

    Keys are for a server behind a proxy that asks for one, or for Ollama's cloud. Declared `models`
    are what it serves, whatever else the server has.
    """

    def __init__(self, settings: WorkerSettings, parts: AdapterParts) -> None:
        base_url = check_base_url(settings.base_url or DEFAULT_BASE_URL)
        super().__init__(settings, DIALECT, parts, base_url=base_url)

    async def health_check(self) -> tuple[str, ...]:
        """The declared models, else those that are installed; no model is loaded for it.

        Errors: `WorkerFailed`.
        """
        # Whether it is an Ollama at all, before its list of models is believed.
        await self._ask(VERSION_PATH)
        return await super().health_check()
