"""Writes docs/reference/providers.md from what the adapters say of themselves.

`python -m cortexd.providers.reference` prints the page. A test holds the checked-in one against it.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Final

from cortexd.domain.feature import Feature
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers import anthropic, cohere, gemini, groq, ollama, openai_compatible
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.catalog import DEFAULT_BASE_URL, default_priority, make_adapter
from cortexd.providers.http_worker import Dialect

_HERE: Final = "http://127.0.0.1"
_ELSEWHERE: Final = "https://example.org"

DIALECTS: Final[Mapping[WorkerType, Dialect]] = {
    WorkerType.OLLAMA: ollama.DIALECT,
    WorkerType.OPENAI: openai_compatible.DIALECT,
    WorkerType.GROQ: groq.DIALECT,
    WorkerType.GEMINI: gemini.DIALECT,
    WorkerType.COHERE: cohere.DIALECT,
    WorkerType.ANTHROPIC: anthropic.DIALECT,
}
"""How the workers that are servers are spoken to."""

MEANINGS: Final[Mapping[WorkerType, str]] = {
    WorkerType.OLLAMA: "An Ollama server, or Ollama's cloud",
    WorkerType.OPENAI: "OpenAI, and every compatible server: vLLM, llama.cpp, LM Studio",
    WorkerType.GROQ: "Groq",
    WorkerType.GEMINI: "Google's Gemini API",
    WorkerType.COHERE: "Cohere, version 2 of its API",
    WorkerType.ANTHROPIC: "Anthropic, and servers that imitate it",
    WorkerType.EMBEDDED: "A small model that comes with cortexd, in a process of its own",
    WorkerType.SCRIPTED: "Plays a script; for tests and demonstrations",
}

_HEAD = """\
# Providers

<!-- Written by `python -m cortexd.providers.reference`; do not edit by hand. -->

What `type` may be in `[[workers]]`, and what each type can do. All other keys of a worker, and the
environment variable that its keys come from by default: [Configuration](configuration.md).

A provider in the cloud needs a name, a type and a key:

```toml
[[workers]]
name = "claude"
type = "anthropic"
models = ["claude-sonnet-4-5"]          # left out: all that the provider lists
api_keys = ["env:CLAUDE_KEY"]           # left out: those of $ANTHROPIC_API_KEYS
```
"""

_TAIL = """\
A request states what it needs ([Doors](doors.md#needs)); a worker that lacks any of it is not
asked. Features are those of a provider's API. One of its models may know less, and so may a server
that only imitates it: that one refuses, and the client gets its words. `scripted` says yes to all,
since a script answers whatever it is asked.
"""


def page() -> str:
    """The whole reference, in Markdown."""
    return "\n".join([_HEAD, *_types(), "", *_features(), "", _TAIL])


def _types() -> Iterator[str]:
    yield "## Types\n"
    yield "| type | what it is | base_url | priority | key goes into | a prompt's tokens |"
    yield "|---|---|---|---|---|---|"
    for kind in WorkerType:
        url = DEFAULT_BASE_URL.get(kind)
        cells = (
            f"`{kind.value}`",
            MEANINGS[kind],
            f"`{url}`" if url else "-",
            _priority(kind),
            _key_header(kind),
            _token_count(kind),
        )
        yield f"| {' | '.join(cells)} |"


def _priority(kind: WorkerType) -> str:
    here, elsewhere = default_priority(kind, _HERE), default_priority(kind, _ELSEWHERE)
    return f"{elsewhere}" if here == elsewhere else f"{elsewhere}, on loopback {here}"


def _key_header(kind: WorkerType) -> str:
    dialect = DIALECTS.get(kind)
    if dialect is None:
        return "-"
    return ", ".join(f"`{name}: {value}`" for name, value in dialect.key_headers("KEY").items())


def _token_count(kind: WorkerType) -> str:
    if kind is WorkerType.SCRIPTED:
        return "its words"
    dialect = DIALECTS.get(kind)
    return "counted" if dialect is not None and dialect.token_count is not None else "estimated"


def _features() -> Iterator[str]:
    features = {kind: features_of(kind) for kind in WorkerType}
    yield "## Features\n"
    yield f"| feature | {' | '.join(f'`{kind.value}`' for kind in WorkerType)} |"
    yield f"|---|{'---|' * len(WorkerType)}"
    for feature in Feature:
        has = ("yes" if feature in features[kind] else "-" for kind in WorkerType)
        yield f"| {feature.value} | {' | '.join(has)} |"


def features_of(kind: WorkerType) -> frozenset[Feature]:
    """What an adapter of this type says it can carry."""
    settings = WorkerSettings(name=WorkerName("any"), type=kind, priority=0)
    return make_adapter(settings, AdapterParts()).info().features


if __name__ == "__main__":
    sys.stdout.write(page())
