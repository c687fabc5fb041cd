"""Workers that speak Gemini's own dialect: Google's Gemini API."""

from typing import Final

from cortexd.domain.feature import Feature
from cortexd.domain.worker import WorkerSettings
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import Dialect, EmbeddingCall, HttpWorker, TokenCountCall
from cortexd.wire.gemini.embeddings import read_embeddings, write_embedding_request
from cortexd.wire.gemini.failures import decode_error
from cortexd.wire.gemini.read_answer import ResponseDecoder, decode_models
from cortexd.wire.gemini.token_count import read_token_count, write_token_count_request
from cortexd.wire.gemini.write_request import write_chat_request

DEFAULT_BASE_URL: Final = "https://generativelanguage.googleapis.com/v1beta"
MODELS_PATH: Final = "/models?pageSize=1000"
"""A thousand is the most that a page can hold; Google has far fewer."""

FEATURES: Final = frozenset(
    {
        Feature.CHAT,
        Feature.EMBEDDINGS,
        Feature.DIMENSIONS,
        Feature.TOOLS,
        Feature.REQUIRED_TOOLS,
        Feature.CHOSEN_TOOL,
        Feature.NO_TOOL_USE,
        Feature.STRICT_TOOLS,
        Feature.FAILED_TOOL_RESULTS,
        Feature.IMAGES,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING,
        Feature.SEED,
        Feature.TOP_K,
        Feature.PENALTIES,
        Feature.HIGH_TEMPERATURE,
        Feature.STOP,
    }
)

_VERSIONS: Final = ("/v1", "/v1alpha", "/v1beta")


def google_key(key: str) -> dict[str, str]:
    """A key in a header of its own; Google takes it in the address as well, where it would leak."""
    return {"x-goog-api-key": key}


DIALECT: Final = Dialect(
    features=FEATURES,
    # Without alt=sse, the answer would be one JSON array.
    chat_path="/models/{model}:streamGenerateContent?alt=sse",
    stream_type="text/event-stream",
    write_chat_request=write_chat_request,
    new_decoder=ResponseDecoder,
    decode_error=decode_error,
    models_path=MODELS_PATH,
    decode_models=decode_models,
    key_headers=google_key,
    embedding=EmbeddingCall(
        path="/models/{model}:batchEmbedContents",
        write_request=write_embedding_request,
        read_answer=read_embeddings,
    ),
    token_count=TokenCountCall(
        path="/models/{model}:countTokens",
        write_request=write_token_count_request,
        read_answer=read_token_count,
    ),
)


class GeminiWorker(HttpWorker):
    """A worker of type `gemini`.

    `base_url` may end with a version or not. Declared `models` are what it serves, whatever else
    Google offers.
    """

    def __init__(self, settings: WorkerSettings, parts: AdapterParts) -> None:
        base_url = _versioned(check_base_url(settings.base_url or DEFAULT_BASE_URL))
        super().__init__(settings, DIALECT, parts, base_url=base_url)


def _versioned(base_url: str) -> str:
    return base_url if base_url.endswith(_VERSIONS) else f"{base_url}/v1beta"
