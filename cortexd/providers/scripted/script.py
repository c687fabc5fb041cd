"""The language of scripts. Pure: a list of tables in, checked steps out.

A script is played once for each request, step by step. Each step is a table with one verb:

    {say = "text"}             one piece of the answer; "{message}" stands for the last user message
    {say = "text", split = "words" | "characters", every = 0.05}
                               the text in pieces, with so many seconds in front of each
    {think = "text"}           the same, but as reasoning
    {call = "name", arguments = {city = "Paris"}}
                               a call of a tool
    {wait = 1.5}               nothing, for so many seconds
    {fail = "server_error"}    a failure of that kind: any `FailureKind`, in lower case
    {fail = "overloaded", detail = "text", retry_after = 2.0, times = 3}
                               the same in the first three requests that come to it, then no more
    {hang = true}              nothing, for ever
    {finish = "length"}        the end of a whole answer: stop, length, tool_calls or content_filter
    {repeat = 100, steps = [ … ]}
                               the steps, so many times
    {health = "text", times = 2}
                               no part of an answer: the first two health checks fail for that
                               reason, or all of them

What stands before the first step that is neither `wait` nor `fail` happens before the worker
accepts the request. A script that comes to its end ends with {finish = "stop"}, or, where it has
made a call, with {finish = "tool_calls"}. What the request asks for makes no difference, unless it
ends with the beginning of the answer: then it is played from there, behind that text.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, unique
from typing import Any, Final, TypeAlias

import attrs

from cortexd.domain.answer import FinishReason
from cortexd.domain.failure import FailureKind
from cortexd.providers.scripted.step_table import StepTable
from cortexd.wire.strict_json import dumps


@unique
class Split(Enum):
    """Into what a text is cut."""

    NOT = "not"
    WORDS = "words"
    CHARACTERS = "characters"


@attrs.frozen
class Say:
    """Give out a text, or a thought."""

    text: str
    split: Split = Split.NOT
    every_s: float = 0.0
    is_thought: bool = False


@attrs.frozen
class Call:
    """Call a tool. `arguments` is the JSON text of an object."""

    name: str
    arguments: str


@attrs.frozen
class Wait:
    """Do nothing for a while."""

    seconds: float


@attrs.frozen(eq=False)
class Fail:
    """Fail in the first `times` requests, or in all. Equal to itself alone: they count apart."""

    kind: FailureKind
    detail: str
    retry_after_s: float | None
    times: int | None


@attrs.frozen
class Hang:
    """Do nothing for ever."""


@attrs.frozen
class Finish:
    """End the answer."""

    reason: FinishReason


@attrs.frozen
class Repeat:
    """Play some steps several times."""

    times: int
    steps: "tuple[PlainStep, ...]"


@attrs.frozen
class Illness:
    """Why health checks fail: the first `times`, or all."""

    reason: str
    times: int | None


PlainStep: TypeAlias = Say | Call | Wait | Fail | Hang | Finish
Step: TypeAlias = PlainStep | Repeat


@attrs.frozen
class Script:
    """A checked script."""

    steps: tuple[Step, ...]
    illness: Illness | None = None

    @property
    def makes_calls(self) -> bool:
        """Whether a tool is called somewhere in it."""
        return any(
            isinstance(each, Call)
            for step in self.steps
            for each in (step.steps if isinstance(step, Repeat) else (step,))
        )


DEFAULT_SCRIPT: Final = Script((Say("Hello! You said: {message}", Split.WORDS),))


def parse_script(tables: Sequence[Mapping[str, Any]]) -> Script:
    """The script that these tables are; without any, one that greets and echoes.

    Errors: `ValueError`, its text beginning with the place (`script[2].wait`).
    """
    illness: Illness | None = None
    steps: list[Step] = []
    for index, table in enumerate(tables):
        step = StepTable(f"script[{index}]", table)
        if "health" not in step.keys:
            steps.append(_parse_step(step, follows=steps))
        elif illness is not None:
            step.refuse("health", "may be given once")
        else:
            step.allow("health", "times")
            illness = Illness(step.text("health"), _times(step))
    return Script(tuple(steps) or DEFAULT_SCRIPT.steps, illness)


def _parse_step(step: StepTable, *, follows: Sequence[Step]) -> Step:
    if "repeat" not in step.keys:
        return _parse_plain(step, follows=follows)
    _refuse_if_never_reached(step, follows)
    step.allow("repeat", "steps")
    tables = step.keys.get("steps")
    if not isinstance(tables, list | tuple) or not tables:
        step.refuse("steps", "must be a list of steps, at least one")
    steps: list[PlainStep] = []
    for index, table in enumerate(tables):
        inner = StepTable(f"{step.place}.steps[{index}]", table)
        steps.append(_parse_plain(inner, follows=steps))
    return Repeat(step.count("repeat"), tuple(steps))


def _parse_plain(step: StepTable, *, follows: Sequence[Step]) -> PlainStep:
    _refuse_if_never_reached(step, follows)
    verbs = [verb for verb in _PARSERS if verb in step.keys]
    if len(verbs) != 1:
        step.refuse(None, f"needs one verb of {', '.join(_PARSERS)}")
    return _PARSERS[verbs[0]](step)


def _refuse_if_never_reached(step: StepTable, follows: Sequence[Step]) -> None:
    if follows and _is_last(follows[-1]):
        step.refuse(None, "is never reached: the step before it ends every answer")


def _times(step: StepTable) -> int | None:
    return step.count("times") if "times" in step.keys else None


def _is_last(step: Step) -> bool:
    match step:
        case Hang() | Finish() | Fail(times=None):
            return True
        case Repeat(steps=steps):
            return _is_last(steps[-1])
        case _:
            return False


def _say(step: StepTable) -> PlainStep:
    verb = "say" if "say" in step.keys else "think"
    step.allow(verb, "split", "every")
    split = step.member("split", Split) if "split" in step.keys else Split.NOT
    every_s = step.seconds("every") if "every" in step.keys else 0.0
    return Say(step.text(verb), split, every_s, is_thought=verb == "think")


def _call(step: StepTable) -> PlainStep:
    step.allow("call", "arguments")
    arguments = step.keys.get("arguments", {})
    if not isinstance(arguments, dict):
        step.refuse("arguments", "must be a table")
    return Call(step.text("call"), dumps(arguments).decode())


def _wait(step: StepTable) -> PlainStep:
    step.allow("wait")
    return Wait(step.seconds("wait"))


def _fail(step: StepTable) -> PlainStep:
    step.allow("fail", "detail", "retry_after", "times")
    kinds = {kind.name.lower(): kind for kind in FailureKind}
    kind = step.text("fail")
    if kind not in kinds:
        step.refuse("fail", f"must be one of {', '.join(kinds)}")
    return Fail(
        kinds[kind],
        step.text("detail") if "detail" in step.keys else "as its script says",
        step.seconds("retry_after") if "retry_after" in step.keys else None,
        _times(step),
    )


def _hang(step: StepTable) -> PlainStep:
    step.allow("hang")
    if step.keys["hang"] is not True:
        step.refuse("hang", "must be true")
    return Hang()


def _finish(step: StepTable) -> PlainStep:
    step.allow("finish")
    return Finish(step.member("finish", FinishReason))


_PARSERS: Final = {
    "say": _say,
    "think": _say,
    "call": _call,
    "wait": _wait,
    "fail": _fail,
    "hang": _hang,
    "finish": _finish,
}
