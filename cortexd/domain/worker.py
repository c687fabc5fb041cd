"""What a worker is: its settings, what it says of itself, and how it is doing."""

from enum import Enum, unique
from typing import Any

import attrs
from attrs import validators

from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.ids import WorkerName
from cortexd.domain.secret import Secret


@unique
class WorkerType(Enum):
    """Which adapter speaks to the worker."""

    OLLAMA = "ollama"
    OPENAI = "openai"
    GROQ = "groq"
    GEMINI = "gemini"
    COHERE = "cohere"
    ANTHROPIC = "anthropic"
    EMBEDDED = "embedded"
    SCRIPTED = "scripted"


@unique
class Resume(Enum):
    """Whether a worker may carry on an answer that another one has begun."""

    AUTO = "auto"
    CONTINUE = "continue"
    OFF = "off"


@attrs.frozen(kw_only=True)
class WorkerSettings:
    """One `[[workers]]` entry.

    Times are in seconds. `models` empty: discovered from the worker. Smaller `priority` goes first.
    `context_tokens`: how long prompt and answer may be together; `None`: nobody knows. `node`:
    which node of a cluster is to see to it; `None`: the nodes share them out. `script` belongs to
    type `scripted` alone.
    """

    name: WorkerName
    type: WorkerType
    base_url: str | None = None
    models: tuple[str, ...] = ()
    api_keys: tuple[Secret, ...] = ()
    priority: int
    weight: float = attrs.field(default=1.0, validator=validators.gt(0))
    context_tokens: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(1))
    )
    resume: Resume = Resume.AUTO
    max_concurrency: int = attrs.field(default=64, validator=validators.ge(1))
    queue_max: int = attrs.field(default=64, validator=validators.ge(0))
    connect_seconds: float = attrs.field(default=5.0, validator=validators.gt(0))
    first_token_seconds: float = attrs.field(default=60.0, validator=validators.gt(0))
    idle_seconds: float = attrs.field(default=60.0, validator=validators.gt(0))
    total_seconds: float = attrs.field(default=1800.0, validator=validators.gt(0))
    node: str | None = None
    script: tuple[dict[str, Any], ...] = ()

    def resumes(self, *, by_itself: bool) -> bool:
        """Whether it may carry on another's answer; `by_itself`: it can, without being set to."""
        return self.resume is Resume.CONTINUE or (self.resume is Resume.AUTO and by_itself)


@attrs.frozen(kw_only=True)
class WorkerInfo:
    """What an adapter says of its worker, without asking it anything.

    `features`: what the worker can do as far as its provider's API goes; a particular model may
    know less, and refuse. `resumes`: it carries on exactly where a beginning ends that it is given.
    """

    name: WorkerName
    type: WorkerType
    priority: int
    models: tuple[str, ...]
    features: frozenset[Feature]
    resumes: bool = False
    context_tokens: int | None = None


@unique
class WorkerStatus(Enum):
    """How a worker is doing, as the health monitor sees it."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class WorkerHealth:
    """The published verdict on one worker.

    `reason` says why it is unavailable, and `failure` of what kind the last bad check was, if the
    worker itself gave the reason; `None` once it is available. `models` are those it serves:
    declared or discovered. `checked_at` is on the monotonic clock, `None` before the first check.
    """

    status: WorkerStatus = WorkerStatus.UNKNOWN
    reason: str | None = None
    failure: FailureKind | None = None
    models: tuple[str, ...] = ()
    checked_at: float | None = None
    bad_in_a_row: int = 0
    good_in_a_row: int = 0
