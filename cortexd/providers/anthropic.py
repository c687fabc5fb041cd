"""Workers that speak Anthropic's Messages API: Anthropic itself, and servers that imitate it."""

from typing import Final

from cortexd.domain.feature import Feature
from cortexd.domain.worker import WorkerSettings
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import Dialect, HttpWorker, TokenCountCall
from cortexd.wire.anthropic.models import decode_models
from cortexd.wire.anthropic.read_answer import MessageDecoder
from cortexd.wire.anthropic.read_error import decode_error
from cortexd.wire.anthropic.token_count import read_token_count
from cortexd.wire.anthropic.write_request import write_chat_request, write_token_count_request

DEFAULT_BASE_URL: Final = "https://api.anthropic.com"
# The longest page there is; nobody has more models.
MODELS_PATH: Final = "/v1/models?limit=1000"

API_VERSION: Final = "2023-06-01"
"""Not the later 2026-10-21, which takes no temperature, `top_p` or `top_k` any more."""

FEATURES: Final = frozenset(
    {
        Feature.CHAT,
        Feature.CHOSEN_TOOL,
        Feature.FAILED_TOOL_RESULTS,
        Feature.IMAGES,
        Feature.IMAGE_URLS,
        Feature.JSON_SCHEMA,
        Feature.NO_TOOL_USE,
        Feature.PREFILL,
        Feature.REASONING,
        Feature.REQUIRED_TOOLS,
        Feature.SERIAL_TOOL_CALLS,
        Feature.STOP,
        Feature.STRICT_TOOLS,
        Feature.TOOLS,
        Feature.TOOL_RESULT_IMAGES,
        Feature.TOP_K,
    }
)


def key_headers(key: str) -> dict[str, str]:
    """The header in which Anthropic wants a key."""
    return {"x-api-key": key}


DIALECT: Final = Dialect(
    features=FEATURES,
    chat_path="/v1/messages",
    stream_type="text/event-stream",
    write_chat_request=write_chat_request,
    new_decoder=MessageDecoder,
    decode_error=decode_error,
    models_path=MODELS_PATH,
    decode_models=decode_models,
    headers={"anthropic-version": API_VERSION},
    key_headers=key_headers,
    token_count=TokenCountCall(
        path="/v1/messages/count_tokens",
        write_request=write_token_count_request,
        read_answer=read_token_count,
    ),
)


class AnthropicWorker(HttpWorker):
    """A worker of type `anthropic`.

    `base_url` may end with /v1 or not. Declared `models` are what it serves, whatever else the
    server offers.
    """

    def __init__(self, settings: WorkerSettings, parts: AdapterParts) -> None:
        base_url = check_base_url(settings.base_url or DEFAULT_BASE_URL)
        super().__init__(settings, DIALECT, parts, base_url=base_url.removesuffix("/v1"))
