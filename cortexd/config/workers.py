"""Reading the `[[workers]]`: what they are by default, by type, and what does not go together."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cattrs import Converter

from cortexd.config.addresses import WrongAddress, check_worker_url
from cortexd.config.sections import Complaint, Draft, read_section, taken_names
from cortexd.domain.secret import Secret
from cortexd.domain.worker import Resume, WorkerSettings, WorkerType
from cortexd.providers.catalog import DEFAULT_BASE_URL, default_priority
from cortexd.providers.openai_compatible import is_openai
from cortexd.providers.scripted.script import parse_script

DEFAULT_WORKERS: tuple[Mapping[str, Any], ...] = (
    {"name": "ollama-local", "type": "ollama"},
    {"name": "embedded", "type": "embedded"},
)
"""What runs when the file has no `[[workers]]` at all."""

MODEL_LOADING_S = 120.0
"""How long a server may take to load a model before its first token, besides the usual time."""

LIMITS_BY_TYPE: Mapping[WorkerType, Mapping[str, float]] = {
    WorkerType.OLLAMA: {"first_token_seconds": 60.0 + MODEL_LOADING_S},
    # One engine, one request at a time: what waits longer is better told to come back.
    WorkerType.EMBEDDED: {
        "max_concurrency": 1,
        "queue_max": 16,
        "first_token_seconds": 60.0 + MODEL_LOADING_S,
    },
    # A script costs nothing; a limit here would only falsify the tests it is for.
    WorkerType.SCRIPTED: {"max_concurrency": 10_000, "queue_max": 10_000},
}

KEY_VARIABLES: Mapping[WorkerType, str] = {
    WorkerType.OPENAI: "OPENAI_API_KEYS",
    WorkerType.GROQ: "GROQ_API_KEYS",
    WorkerType.GEMINI: "GEMINI_API_KEYS",
    WorkerType.COHERE: "COHERE_API_KEYS",
    WorkerType.ANTHROPIC: "ANTHROPIC_API_KEYS",
}
"""Keys for workers of a type that name none, comma-separated."""

# It stands in URLs, in headers and before the slash of `worker/model`.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# The parts of a place in a script: `script[2].wait`.
_PLACE_PART = re.compile(r"[^.\[\]]+")
_SERVERLESS = frozenset({WorkerType.EMBEDDED, WorkerType.SCRIPTED})
# Of these, all servers or some go on with an answer that a conversation ends with.
_CONTINUING = frozenset({WorkerType.OLLAMA, WorkerType.OPENAI, WorkerType.ANTHROPIC, *_SERVERLESS})


def read_workers(
    tables: Any, *, converter: Converter, keys: Mapping[WorkerType, tuple[Secret, ...]]
) -> tuple[list[Draft], list[Complaint]]:
    """All workers with their defaults, and all that is wrong with them.

    `keys` are those of the environment, by the type of worker that may use them.
    """
    path = ("workers",)
    if not isinstance(tables, list | tuple):
        return [], [(path, "must be a list of tables: [[workers]] (two pairs of brackets)")]
    drafts: list[Draft] = []
    complaints: list[Complaint] = []
    for index, table in enumerate(tables):
        draft, wrong = read_section(
            WorkerSettings,
            table,
            (*path, index),
            converter=converter,
            defaults=_defaults(table, keys) if isinstance(table, dict) else {},
        )
        drafts.append(draft)
        complaints += wrong
        complaints += [((*draft.path, key), text) for key, text in _inconsistent(draft)]
        complaints += _bad_script(draft)
    complaints += taken_names(drafts)
    return drafts, complaints


def _defaults(
    table: Mapping[str, Any], keys: Mapping[WorkerType, tuple[Secret, ...]]
) -> dict[str, Any]:
    """What the type of worker decides. With an unknown type there is a complaint already."""
    kinds = [kind for kind in WorkerType if kind.value == table.get("type")]
    if not kinds:
        return {"priority": 0}
    kind = kinds[0]
    usual = DEFAULT_BASE_URL.get(kind)
    base_url = table.get("base_url", usual)
    return {
        "priority": default_priority(kind, base_url if isinstance(base_url, str) else None),
        "base_url": usual,
        "api_keys": keys.get(kind, ()),
        **LIMITS_BY_TYPE.get(kind, {}),
    }


def _inconsistent(draft: Draft) -> Iterator[tuple[str, str]]:
    """What is right by itself, but not for a worker of this type."""
    name = draft.get("name")
    if name is not None and not _NAME.fullmatch(name):
        yield "name", "must be 1 to 64 letters, digits, dots, dashes or underscores"
    if "" in (draft.get("models") or ()):
        yield "models", "must not contain an empty name"
    kind = draft.get("type")
    if kind is None:
        return
    yield from _misplaced(draft, kind)
    if kind is WorkerType.EMBEDDED and (draft.get("max_concurrency") or 1) > 1:
        yield "max_concurrency", "must be 1: the embedded model answers one request at a time"
    if draft.get("resume") is Resume.CONTINUE and kind not in _CONTINUING:
        yield "resume", _never_continues(f'a worker of type "{kind.value}"')
    if kind is WorkerType.EMBEDDED and "context_tokens" in draft.set_here:
        yield "context_tokens", "is embedded.context_tokens for the embedded model"
    if kind is WorkerType.EMBEDDED and "models" in draft.set_here:
        yield "models", "is not for the embedded model, whose name is embedded.model"


def _misplaced(draft: Draft, kind: WorkerType) -> Iterator[tuple[str, str]]:
    """An address or keys where they make no sense, or an address that is none, or the wrong one."""
    base_url = draft.get("base_url")
    if kind in _SERVERLESS:
        for key in sorted({"base_url", "api_keys"} & draft.set_here):
            yield key, f'is not for a worker of type "{kind.value}", which talks to no server'
    elif base_url is not None:
        try:
            check_worker_url(base_url)
        except WrongAddress as error:
            yield "base_url", str(error)
        else:
            if draft.get("resume") is Resume.CONTINUE and is_openai(base_url):
                yield "resume", _never_continues("OpenAI itself")


def _never_continues(who: str) -> str:
    return f'cannot be "continue" for {who}, which begins each answer anew; leave it out'


def _bad_script(draft: Draft) -> Iterator[Complaint]:
    """A script where there is nobody to play it, or one that cannot be played."""
    kind, script = draft.get("type"), draft.get("script")
    if kind is None or script is None or "script" not in draft.set_here:
        return
    if kind is not WorkerType.SCRIPTED:
        text = f'is only for type "scripted", not for "{kind.value}"'
        yield (*draft.path, "script"), text
        return
    try:
        parse_script(script)
    except ValueError as error:
        place, colon, text = str(error).partition(": ")
        steps = (int(part) if part.isdecimal() else part for part in _PLACE_PART.findall(place))
        yield (*draft.path, *steps) if colon else (*draft.path, "script"), text or place


def build_workers(drafts: Sequence[Draft]) -> tuple[WorkerSettings, ...]:
    """The settings, once nothing is wrong with any draft."""
    return tuple(WorkerSettings(**draft.values) for draft in drafts)
