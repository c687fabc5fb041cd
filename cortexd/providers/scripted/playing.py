"""Which steps of a script are played for a conversation. Pure."""

from collections.abc import Iterator

import attrs

from cortexd.domain.answer import FinishReason
from cortexd.domain.chat import ChatRequest, Role
from cortexd.providers.scripted.script import Fail, Finish, PlainStep, Repeat, Say, Script, Wait


def played(script: Script, request: ChatRequest) -> Iterator[PlainStep]:
    """The steps, one by one, down to the end.

    A conversation that ends with a text of the assistant's is carried on: what the script says is
    left out as far as it is the end of that text, and so is all else that comes before.
    """
    message = next((m.text for m in request.messages[::-1] if m.role is Role.USER), "")
    said = "".join(m.text for m in request.messages[-1:] if m.role is Role.ASSISTANT)
    there = _met(said, _beginning(_steps(script, message), len(said))) if said else 0
    return _behind(there, _steps(script, message))


def _steps(script: Script, message: str) -> Iterator[PlainStep]:
    for step in script.steps:
        if isinstance(step, Repeat):
            filled = [_fill(each, message) for each in step.steps]
            for _ in range(step.times):
                yield from filled
        else:
            yield _fill(step, message)
    yield Finish(FinishReason.TOOL_CALLS if script.makes_calls else FinishReason.STOP)


def _fill(step: PlainStep, message: str) -> PlainStep:
    if isinstance(step, Say) and "{message}" in step.text:
        return attrs.evolve(step, text=step.text.replace("{message}", message))
    return step


def _beginning(steps: Iterator[PlainStep], characters: int) -> str:
    """At least so many characters of what is said, if there are so many."""
    text: list[str] = []
    length = 0
    for step in steps:
        if length >= characters:
            break
        if isinstance(step, Say) and not step.is_thought:
            text.append(step.text)
            length += len(step.text)
    return "".join(text)


def _met(said: str, text: str) -> int:
    """How long the longest end of `said` is that `text` begins with."""
    return next((len(said) - at for at in range(len(said)) if text.startswith(said[at:])), 0)


def _behind(there: int, steps: Iterator[PlainStep]) -> Iterator[PlainStep]:
    """The steps behind so many characters, and those before the worker accepts the request."""
    has_begun = False
    for step in steps:
        has_begun = has_begun or not isinstance(step, Wait | Fail)
        if not there or not has_begun:
            yield step
        elif isinstance(step, Say) and not step.is_thought:
            if there < len(step.text):
                yield attrs.evolve(step, text=step.text[there:])
            there = max(0, there - len(step.text))
