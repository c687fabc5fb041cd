"""Workers that are Groq's: the OpenAI dialect with a few words of its own.

Sources: the types of the official Python client (groq), which say of some parameters that no model
supports them, and Groq's guides to OpenAI compatibility, structured outputs and rate limits.
Limits are those of an organisation: several keys of one do not add up.
"""

from typing import Final

import attrs

from cortexd.domain.feature import Feature
from cortexd.domain.worker import WorkerSettings
from cortexd.providers import openai_compatible
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.base_url import check_base_url
from cortexd.providers.http_worker import HttpWorker
from cortexd.wire.groq.write_request import write_chat_request
from cortexd.wire.openai.read_answer import decode_error

DEFAULT_BASE_URL: Final = "https://api.groq.com/openai/v1"

FEATURES: Final = openai_compatible.FEATURES - {
    # "Not yet supported by any of our models."
    Feature.LOGPROBS,
    Feature.TOP_LOGPROBS,
    Feature.PENALTIES,
    # Refused wherever it stands.
    Feature.PARTICIPANT_NAMES,
    # Answers that fit a schema are not streamed, and all of ours are.
    Feature.JSON_SCHEMA,
    # There is an endpoint, but no model for it.
    Feature.EMBEDDINGS,
    Feature.DIMENSIONS,
}

DIALECT: Final = attrs.evolve(
    openai_compatible.DIALECT,
    features=FEATURES,
    write_chat_request=write_chat_request,
    decode_error=decode_error,
    embedding=None,
)


class GroqWorker(HttpWorker):
    """A worker of type `groq`.

    `base_url` is for a proxy in front of Groq. Declared `models` are what it serves, whatever else
    Groq offers.
    """

    def __init__(self, settings: WorkerSettings, parts: AdapterParts) -> None:
        base_url = check_base_url(settings.base_url or DEFAULT_BASE_URL)
        super().__init__(settings, DIALECT, parts, base_url=base_url)
