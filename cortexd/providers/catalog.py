"""Which adapter speaks to which type of worker."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.ports import ChatProvider
from cortexd.providers import ollama, openai_compatible
from cortexd.providers.base_url import is_loopback
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.settings import EmbeddedSettings
from cortexd.providers.embedded.worker import EmbeddedWorker
from cortexd.providers.ollama import OllamaWorker
from cortexd.providers.openai_compatible import OpenAICompatibleWorker
from cortexd.providers.scripted.worker import ScriptedWorker


@attrs.frozen
class EmbeddedParts:
    """What an adapter of type `embedded` needs besides the worker's own settings."""

    settings: EmbeddedSettings = attrs.Factory(EmbeddedSettings)
    address: EngineAddress = attrs.Factory(EngineAddress)


AdapterFactory: TypeAlias = Callable[[WorkerSettings, EmbeddedParts], ChatProvider]

ADAPTERS: Final[Mapping[WorkerType, AdapterFactory]] = {
    WorkerType.OLLAMA: lambda settings, _: OllamaWorker(settings),
    WorkerType.OPENAI: lambda settings, _: OpenAICompatibleWorker(settings),
    WorkerType.EMBEDDED: lambda settings, embedded: EmbeddedWorker(
        settings, embedded.settings, embedded.address
    ),
    WorkerType.SCRIPTED: lambda settings, _: ScriptedWorker(settings),
}

DEFAULT_BASE_URL: Final[Mapping[WorkerType, str]] = {
    WorkerType.OLLAMA: ollama.DEFAULT_BASE_URL,
    WorkerType.OPENAI: openai_compatible.DEFAULT_BASE_URL,
}

# The machine at hand before the one that costs money; the model that is always there comes last.
DEFAULT_PRIORITY: Final[Mapping[WorkerType, int]] = {
    WorkerType.OLLAMA: 10,
    WorkerType.OPENAI: 100,
    WorkerType.EMBEDDED: 1000,
    WorkerType.SCRIPTED: 10,
}
LOOPBACK_PRIORITY: Final = 10


def make_adapter(settings: WorkerSettings, embedded: EmbeddedParts) -> ChatProvider:
    """The adapter of one worker; it connects to nothing before it is asked.

    Errors: `ValueError` for settings that can never work.
    """
    return ADAPTERS[settings.type](settings, embedded)


def default_priority(kind: WorkerType, base_url: str | None) -> int:
    """The priority of a worker that states none."""
    if kind is WorkerType.OPENAI and base_url is not None and is_loopback(base_url):
        return LOOPBACK_PRIORITY
    return DEFAULT_PRIORITY[kind]
