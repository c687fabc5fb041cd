"""Workers that speak version 2 of Cohere's dialect."""

from typing import Final

from cortexd.domain.feature import Feature
from cortexd.domain.worker import WorkerSettings
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import Dialect, EmbeddingCall, HttpWorker
from cortexd.wire.cohere.embeddings import read_embeddings, write_embedding_request
from cortexd.wire.cohere.failures import decode_error
from cortexd.wire.cohere.read_answer import EventDecoder, decode_models
from cortexd.wire.cohere.write_request import write_chat_request

DEFAULT_BASE_URL: Final = "https://api.cohere.com"
MODELS_PATH: Final = "/v1/models?page_size=1000"
"""A thousand is the most that a page can hold; Cohere has far fewer. The list has no version 2."""

FEATURES: Final = frozenset(
    {
        Feature.CHAT,
        Feature.EMBEDDINGS,
        Feature.DIMENSIONS,
        Feature.TOOLS,
        Feature.REQUIRED_TOOLS,
        Feature.NO_TOOL_USE,
        Feature.STRICT_TOOLS,
        Feature.IMAGES,
        Feature.IMAGE_URLS,
        Feature.IMAGE_DETAIL,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING,
        Feature.SEED,
        Feature.TOP_K,
        Feature.STOP,
    }
)

DIALECT: Final = Dialect(
    features=FEATURES,
    chat_path="/v2/chat",
    stream_type="text/event-stream",
    write_chat_request=write_chat_request,
    new_decoder=EventDecoder,
    decode_error=decode_error,
    models_path=MODELS_PATH,
    decode_models=decode_models,
    embedding=EmbeddingCall(
        path="/v2/embed",
        write_request=write_embedding_request,
        read_answer=read_embeddings,
    ),
)


class CohereWorker(HttpWorker):
    """A worker of type `cohere`.

    `base_url` may end with a version or not. Declared `models` are what it serves, whatever else
    Cohere offers.
    """

    def __init__(self, settings: WorkerSettings, parts: AdapterParts) -> None:
        base_url = _unversioned(check_base_url(settings.base_url or DEFAULT_BASE_URL))
        super().__init__(settings, DIALECT, parts, base_url=base_url)


def _unversioned(base_url: str) -> str:
    return base_url.removesuffix("/v1").removesuffix("/v2")
