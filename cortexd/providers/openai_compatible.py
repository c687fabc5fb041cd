"""Workers that speak the OpenAI dialect: OpenAI itself, vLLM, llama.cpp, LM Studio and more."""

from functools import partial
from typing import Final
from urllib.parse import urlsplit

import attrs

from cortexd.domain.feature import Feature
from cortexd.domain.worker import Resume, WorkerSettings
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import Dialect, EmbeddingCall, HttpWorker
from cortexd.wire.openai.embeddings import read_embeddings, write_embedding_request
from cortexd.wire.openai.read_answer import ChunkDecoder, decode_error, decode_models
from cortexd.wire.openai.write_request import write_chat_request

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"
MODELS_PATH: Final = "/models"

FEATURES: Final = frozenset(
    {
        Feature.CHAT,
        Feature.EMBEDDINGS,
        Feature.DIMENSIONS,
        Feature.TOOLS,
        Feature.REQUIRED_TOOLS,
        Feature.CHOSEN_TOOL,
        Feature.NO_TOOL_USE,
        Feature.SERIAL_TOOL_CALLS,
        Feature.STRICT_TOOLS,
        Feature.IMAGES,
        Feature.IMAGE_URLS,
        Feature.IMAGE_DETAIL,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING,
        Feature.LOGPROBS,
        Feature.TOP_LOGPROBS,
        Feature.PENALTIES,
        Feature.SEED,
        Feature.STOP,
        Feature.HIGH_TEMPERATURE,
        Feature.PARTICIPANT_NAMES,
    }
)
"""What OpenAI documents. A compatible server may know less, and then refuses in its own words."""

DIALECT: Final = Dialect(
    features=FEATURES,
    chat_path="/chat/completions",
    stream_type="text/event-stream",
    write_chat_request=write_chat_request,
    new_decoder=ChunkDecoder,
    decode_error=decode_error,
    models_path=MODELS_PATH,
    decode_models=decode_models,
    embedding=EmbeddingCall(
        path="/embeddings",
        write_request=write_embedding_request,
        read_answer=read_embeddings,
    ),
)

# OpenAI's own models behind either refuse the old name of the token limit, which is the one that
# all compatible servers know. The regions of OpenAI have names below the first.
_OPENAI_HOST: Final = "api.openai.com"
_AZURE_HOSTS: Final = ".openai.azure.com"


def is_openai(base_url: str) -> bool:
    """Whether it is OpenAI itself that is there: told by the host alone."""
    host = urlsplit(base_url).hostname or ""
    return host == _OPENAI_HOST or host.endswith((f".{_OPENAI_HOST}", _AZURE_HOSTS))


def dialect_of(base_url: str, *, continues: bool = False) -> Dialect:
    """The dialect of the server at this address.

    `continues`: it is one of those that go on where an assistant's message ends.
    """
    if is_openai(base_url):
        write = partial(write_chat_request, limit_name="max_completion_tokens")
        return attrs.evolve(DIALECT, write_chat_request=write)
    if continues:
        write = partial(write_chat_request, continues=True)
        features = FEATURES | {Feature.PREFILL}
        return attrs.evolve(DIALECT, features=features, write_chat_request=write)
    return DIALECT


class OpenAICompatibleWorker(HttpWorker):
    """A worker of type `openai`.

    `base_url` may end with /v1 or not. Declared `models` are what it serves, whatever else the
    server offers.
    """

    def __init__(self, settings: WorkerSettings, parts: AdapterParts) -> None:
        base_url = _versioned(check_base_url(settings.base_url or DEFAULT_BASE_URL))
        dialect = dialect_of(base_url, continues=settings.resume is Resume.CONTINUE)
        super().__init__(settings, dialect, parts, base_url=base_url)


def _versioned(base_url: str) -> str:
    return base_url if base_url.endswith("/v1") else f"{base_url}/v1"
