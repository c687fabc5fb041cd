"""Which adapter speaks to which type of worker."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.ports import ChatProvider
from cortexd.providers import anthropic, cohere, gemini, groq, ollama, openai_compatible
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.anthropic import AnthropicWorker
from cortexd.providers.base_url import is_loopback
from cortexd.providers.cohere import CohereWorker
from cortexd.providers.embedded.worker import EmbeddedWorker
from cortexd.providers.gemini import GeminiWorker
from cortexd.providers.groq import GroqWorker
from cortexd.providers.ollama import OllamaWorker
from cortexd.providers.openai_compatible import OpenAICompatibleWorker
from cortexd.providers.scripted.worker import ScriptedWorker

AdapterFactory: TypeAlias = Callable[[WorkerSettings, AdapterParts], ChatProvider]

ADAPTERS: Final[Mapping[WorkerType, AdapterFactory]] = {
    WorkerType.OLLAMA: OllamaWorker,
    WorkerType.OPENAI: OpenAICompatibleWorker,
    WorkerType.GROQ: GroqWorker,
    WorkerType.GEMINI: GeminiWorker,
    WorkerType.COHERE: CohereWorker,
    WorkerType.ANTHROPIC: AnthropicWorker,
    WorkerType.EMBEDDED: EmbeddedWorker,
    WorkerType.SCRIPTED: lambda settings, parts: ScriptedWorker(settings, parts.new_id),
}

DEFAULT_BASE_URL: Final[Mapping[WorkerType, str]] = {
    WorkerType.OLLAMA: ollama.DEFAULT_BASE_URL,
    WorkerType.OPENAI: openai_compatible.DEFAULT_BASE_URL,
    WorkerType.GROQ: groq.DEFAULT_BASE_URL,
    WorkerType.GEMINI: gemini.DEFAULT_BASE_URL,
    WorkerType.COHERE: cohere.DEFAULT_BASE_URL,
    WorkerType.ANTHROPIC: anthropic.DEFAULT_BASE_URL,
}

# The machine at hand before the one that costs money; the model that is always there comes last.
DEFAULT_PRIORITY: Final[Mapping[WorkerType, int]] = {
    WorkerType.OLLAMA: 10,
    WorkerType.OPENAI: 100,
    WorkerType.GROQ: 40,
    WorkerType.GEMINI: 50,
    WorkerType.COHERE: 60,
    WorkerType.ANTHROPIC: 80,
    WorkerType.EMBEDDED: 1000,
    WorkerType.SCRIPTED: 10,
}
LOOPBACK_PRIORITY: Final = 10


def make_adapter(settings: WorkerSettings, parts: AdapterParts) -> ChatProvider:
    """The adapter of one worker; it connects to nothing before it is asked.

    Errors: `ValueError` for settings that can never work.
    """
    return ADAPTERS[settings.type](settings, parts)


def default_priority(kind: WorkerType, base_url: str | None) -> int:
    """The priority of a worker that states none."""
    if kind is WorkerType.OPENAI and base_url is not None and is_loopback(base_url):
        return LOOPBACK_PRIORITY
    return DEFAULT_PRIORITY[kind]
