"""The worker that answers as its script says."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Final

import trio

from cortexd.domain.answer import (
    Batch,
    Embedded,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.chat import ChatRequest, Role
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerInfo, WorkerSettings
from cortexd.ports import ChatStream
from cortexd.providers.scripted.script import (
    Call,
    Fail,
    Finish,
    Hang,
    PlainStep,
    Repeat,
    Say,
    Script,
    Split,
    Wait,
    parse_script,
)

DIMENSIONS: Final = 8
DEFAULT_MODEL: Final = "scripted"


class ScriptedWorker:
    """A worker of type `scripted`; `script` explains the language.

    Errors: `ValueError` for a script that is none.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._script: Script = parse_script(settings.script)
        self._failed: Counter[Fail] = Counter()
        self._health_checks_failed = 0

    def info(self) -> WorkerInfo:
        """What is known of the worker without asking it."""
        return WorkerInfo(
            name=self._settings.name,
            type=self._settings.type,
            priority=self._settings.priority,
            models=self._settings.models,
            features=frozenset(Feature),
        )

    @property
    def priority(self) -> int:
        """Smaller goes first."""
        return self._settings.priority

    def connections(self) -> ConnectionStatistics | None:
        """There are none."""
        return None

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""
        await trio.lowlevel.checkpoint()

    async def health_check(self) -> tuple[str, ...]:
        """The declared models, else one called `scripted`.

        Errors: `WorkerFailed` where the script says so.
        """
        await trio.lowlevel.checkpoint()
        illness = self._script.illness
        if illness is not None and (
            illness.times is None or self._health_checks_failed < illness.times
        ):
            self._health_checks_failed += 1
            raise WorkerFailed(self._settings.name, FailureKind.UNREACHABLE, illness.reason)
        return self._settings.models or (DEFAULT_MODEL,)

    @asynccontextmanager
    async def open_chat(self, request: ChatRequest, *, model: str) -> AsyncIterator[ChatStream]:
        """Play the script; the name of the model makes no difference."""
        del model
        performance = _Performance(self, request)
        await performance.accept()
        yield performance

    async def embed(
        self, request: EmbeddingRequest, *, model: str
    ) -> tuple[Embedded, Usage | None]:
        """Vectors that count the vowels of each text."""
        del model
        await trio.lowlevel.checkpoint()
        vectors = tuple(_vector(text, request.dimensions or DIMENSIONS) for text in request.texts)
        return Embedded(vectors), Usage(sum(len(text.split()) for text in request.texts), 0)

    async def count_tokens(self, request: ChatRequest, *, model: str) -> int | None:
        """A token for each word."""
        del model
        await trio.lowlevel.checkpoint()
        return sum(len(message.text.split()) for message in request.messages)

    def fail_if_due(self, step: Fail) -> None:
        """Fail, unless this step has failed as often as it should."""
        if step.times is not None and self._failed[step] >= step.times:
            return
        self._failed[step] += 1
        raise WorkerFailed(
            self._settings.name, step.kind, step.detail, retry_after_s=step.retry_after_s
        )

    def steps(self) -> Iterator[PlainStep]:
        """The script's steps, one by one, down to its end."""
        for step in self._script.steps:
            if isinstance(step, Repeat):
                for _ in range(step.times):
                    yield from step.steps
            else:
                yield step
        yield Finish(FinishReason.TOOL_CALLS if self._script.makes_calls else FinishReason.STOP)


class _Performance:
    """One playing of a script, which is the stream of one answer."""

    def __init__(self, worker: ScriptedWorker, request: ChatRequest) -> None:
        self._worker = worker
        self._message = next((m.text for m in request.messages[::-1] if m.role is Role.USER), "")
        self._input_tokens = sum(len(message.text.split()) for message in request.messages)
        self._output_tokens = 0
        self._steps = worker.steps()
        self._step: PlainStep = next(self._steps)
        self._pieces: Iterator[TextDelta | ReasoningDelta] = iter(())
        self._calls = 0
        self._every_s = 0.0
        self._finished = False

    async def accept(self) -> None:
        """Play what comes before the answer."""
        await trio.lowlevel.checkpoint()
        while isinstance(self._step, Wait | Fail):
            await self._wait_or_fail(self._step)
            self._step = next(self._steps)

    def __aiter__(self) -> "_Performance":
        return self

    async def __anext__(self) -> Batch:
        if self._finished:
            raise StopAsyncIteration
        while True:
            for piece in self._pieces:
                await trio.sleep(self._every_s)
                self._output_tokens += len(piece.text.split())
                return (piece,)
            step, self._step = self._step, next(self._steps, self._step)
            match step:
                case Say(text=text, split=split, every_s=every_s, is_thought=is_thought):
                    delta = ReasoningDelta if is_thought else TextDelta
                    cut = _cut(text.replace("{message}", self._message), split)
                    self._pieces, self._every_s = map(delta, cut), every_s
                    # A script may say nothing, a million times over.
                    await trio.lowlevel.checkpoint()
                case Call(name=name, arguments=arguments):
                    await trio.lowlevel.checkpoint()
                    index, self._calls = self._calls, self._calls + 1
                    call_id = f"call_{uuid.uuid4().hex[:12]}_{index}"
                    started = ToolCallStarted(index, call_id, name)
                    return (started, ToolCallDelta(index, arguments))
                case Wait() | Fail():
                    await self._wait_or_fail(step)
                case Hang():
                    await trio.sleep_forever()
                case Finish(reason=reason):
                    await trio.lowlevel.checkpoint()
                    self._finished = True
                    return (Finished(reason, Usage(self._input_tokens, self._output_tokens)),)

    async def _wait_or_fail(self, step: Wait | Fail) -> None:
        await trio.sleep(step.seconds if isinstance(step, Wait) else 0)
        if isinstance(step, Fail):
            self._worker.fail_if_due(step)


def _vector(text: str, dimensions: int) -> tuple[float, ...]:
    """How often each vowel stands in the text, over and over: equal texts have equal vectors."""
    return tuple(float(text.count(vowel)) for vowel in islice(cycle("aeiou"), dimensions))


def _cut(text: str, split: Split) -> list[str]:
    match split:
        case Split.NOT:
            return [text] if text else []
        case Split.CHARACTERS:
            return list(text)
        case Split.WORDS:
            # The space goes with the word behind it, as with the tokens of a model.
            words = text.split(" ")
            return [piece for piece in (words[0], *(f" {word}" for word in words[1:])) if piece]
