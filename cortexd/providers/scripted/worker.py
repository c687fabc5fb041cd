"""The worker that answers as its script says."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Final

import trio

from cortexd.domain.answer import (
    Batch,
    Embedded,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.chat import ChatRequest
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.ids import FIRST_KEY, KeyIndex
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerInfo, WorkerSettings
from cortexd.ports import ChatStream
from cortexd.providers.scripted.playing import played
from cortexd.providers.scripted.script import (
    Call,
    Fail,
    Finish,
    Hang,
    PlainStep,
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

    def __init__(self, settings: WorkerSettings, new_id: Callable[[], str]) -> None:
        self._settings = settings
        self._new_id = new_id
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
            resumes=self._settings.resumes(by_itself=True),
            context_tokens=self._settings.context_tokens,
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
    async def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> AsyncIterator[ChatStream]:
        """Play the script; the name of the model makes no difference."""
        del model, key
        performance = _Performance(self, request, played(self._script, request))
        await performance.accept()
        yield performance

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        """Vectors that count the vowels of each text."""
        del model, key
        await trio.lowlevel.checkpoint()
        vectors = tuple(_vector(text, request.dimensions or DIMENSIONS) for text in request.texts)
        return Embedded(vectors), Usage(sum(len(text.split()) for text in request.texts), 0)

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        """A token for each word."""
        del model, key
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

    def new_call_id(self, index: int) -> str:
        """The id of the call of this index."""
        return f"call_{self._new_id()[:12]}_{index}"


class _Performance:
    """One playing of a script, which is the stream of one answer."""

    def __init__(
        self, worker: ScriptedWorker, request: ChatRequest, steps: Iterator[PlainStep]
    ) -> None:
        self._worker = worker
        self._input_tokens = sum(len(message.text.split()) for message in request.messages)
        self._output_tokens = 0
        self._steps = steps
        self._step: PlainStep = next(steps)
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
                    self._pieces, self._every_s = map(delta, _cut(text, split)), every_s
                    # A script may say nothing, a million times over.
                    await trio.lowlevel.checkpoint()
                case Call(name=name, arguments=arguments):
                    await trio.lowlevel.checkpoint()
                    index, self._calls = self._calls, self._calls + 1
                    started = ToolCallStarted(index, self._worker.new_call_id(index), name)
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
