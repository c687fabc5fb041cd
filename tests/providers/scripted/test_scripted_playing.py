"""Scripts that carry on an answer."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cortexd.domain.answer import FinishReason
from cortexd.domain.chat import ChatRequest, Message, Role, Text, text_message
from cortexd.domain.failure import FailureKind
from cortexd.providers.scripted.playing import played
from cortexd.providers.scripted.script import (
    Call,
    Fail,
    Finish,
    PlainStep,
    Say,
    Wait,
    parse_script,
)

END = Finish(FinishReason.STOP)


def _play(said: str, *script: dict[str, Any], message: str = "hi") -> list[PlainStep]:
    """The steps for a conversation that ends with what is `said`."""
    messages = [text_message(Role.USER, message)]
    if said:
        messages.append(text_message(Role.ASSISTANT, said))
    return list(played(parse_script(script), ChatRequest(model=None, messages=tuple(messages))))


def _text(steps: list[PlainStep]) -> str:
    return "".join(step.text for step in steps if isinstance(step, Say))


SCRIPT = ({"say": "one, "}, {"say": "two, ", "split": "words"}, {"say": "three"})


@pytest.mark.parametrize("at", range(len("one, two, three") + 1))
def test_it_goes_on_behind_what_is_said(at: int) -> None:
    """Wherever that ends."""
    whole = "one, two, three"
    steps = _play(whole[:at], *SCRIPT)

    assert _text(steps) == whole[at:]
    assert steps[-1] == END


@given(
    texts=st.lists(st.text("ab ", min_size=1), min_size=1, max_size=6),
    before=st.text("ab "),
    first=st.integers(0, 40),
    second=st.integers(0, 40),
)
def test_one_answer_of_many_parts(texts: list[str], before: str, first: int, second: int) -> None:
    """However often it is carried on, and whatever the client itself has begun with."""
    script = [{"say": text} for text in texts]
    whole = _text(_play(before, *script))
    assume(whole)
    said = whole[:first]
    said += _text(_play(before + said, *script))[:second]

    assert said + _text(_play(before + said, *script)) == whole


def test_what_comes_before_is_left_out() -> None:
    """Thoughts, pauses, failures and calls are part of what has been."""
    steps = _play(
        "one, t",
        {"wait": 1},
        {"think": "hm"},
        {"say": "one, "},
        {"wait": 2},
        {"fail": "server_error", "times": 1},
        {"call": "find"},
        {"say": "two"},
        {"think": "hm hm"},
        {"wait": 3},
        {"call": "find"},
    )

    # What happens before the worker accepts the request happens again.
    assert steps[0] == Wait(1.0)
    assert steps[1:] == [
        Say("wo"),
        Say("hm hm", is_thought=True),
        Wait(3.0),
        Call("find", "{}"),
        Finish(FinishReason.TOOL_CALLS),
    ]


def test_a_failure_right_behind_comes() -> None:
    """Whoever is asked to go on there fails there."""
    (step, *_) = _play("one", {"say": "one"}, {"fail": "timed_out", "times": 1}, {"say": "two"})
    assert isinstance(step, Fail)
    assert step.kind is FailureKind.TIMED_OUT


def test_repeated_steps_are_left_out_one_by_one() -> None:
    """And the message stands where it belongs."""
    script = {"repeat": 3, "steps": [{"say": "{message}, "}]}
    assert _text(_play("hi, hi", script)) == ", hi, "
    assert _text(_play("hi, hi", script, message="ho")) == "ho, ho, ho, "


def test_what_somebody_else_has_said_changes_nothing() -> None:
    """Neither another text, nor an earlier one, nor one of the user."""
    assert _text(_play("One", *SCRIPT)) == "one, two, three"
    messages = (text_message(Role.ASSISTANT, "one, "), text_message(Role.USER, "one, "))
    steps = played(parse_script(SCRIPT), ChatRequest(model=None, messages=messages))
    assert _text(list(steps)) == "one, two, three"


def test_no_messages_at_all() -> None:
    """Then there is nothing to go on with."""
    script = parse_script([{"say": "one{message}"}])
    assert list(played(script, ChatRequest(model=None, messages=()))) == [Say("one"), END]
    empty = ChatRequest(model=None, messages=(Message(Role.ASSISTANT, (Text(""),)),))
    assert list(played(script, empty)) == [Say("one"), END]
