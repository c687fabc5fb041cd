"""Scripts as tables: what is accepted, and where the complaints point."""

import re
from typing import Any

import pytest

from cortexd.domain.answer import FinishReason
from cortexd.domain.failure import FailureKind
from cortexd.providers.scripted.script import (
    DEFAULT_SCRIPT,
    Call,
    Fail,
    Finish,
    Hang,
    Illness,
    Repeat,
    Say,
    Split,
    Wait,
    parse_script,
)


def test_every_step() -> None:
    """Each verb with all of its keys."""
    script = parse_script(
        [
            {"health": "ill", "times": 2},
            {"fail": "overloaded", "detail": "full", "retry_after": 3, "times": 1},
            {"wait": 1},
            {"say": "a b", "split": "words", "every": 0.5},
            {"think": "hm"},
            {"call": "weather", "arguments": {"city": "Paris"}},
            {"repeat": 3, "steps": [{"say": "c"}, {"wait": 0.1}]},
            {"finish": "length"},
        ]
    )

    fail, *others = script.steps
    assert isinstance(fail, Fail)
    assert (fail.kind, fail.detail) == (FailureKind.OVERLOADED, "full")
    assert (fail.retry_after_s, fail.times) == (3.0, 1)
    assert others == [
        Wait(1.0),
        Say("a b", Split.WORDS, 0.5),
        Say("hm", is_thought=True),
        Call("weather", '{"city":"Paris"}'),
        Repeat(3, (Say("c"), Wait(0.1))),
        Finish(FinishReason.LENGTH),
    ]
    assert script.illness == Illness("ill", 2)
    assert parse_script([{"hang": True}]).steps == (Hang(),)


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_of_failure(kind: FailureKind) -> None:
    """A script can fail in any way there is."""
    (step,) = parse_script([{"fail": kind.name.lower()}]).steps

    assert isinstance(step, Fail)
    assert step.kind is kind


def test_script_without_answer() -> None:
    """Where no step speaks of the answer, it is the default one."""
    assert parse_script([]) == DEFAULT_SCRIPT
    assert parse_script([{"health": "ill"}]).steps == DEFAULT_SCRIPT.steps


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        (["say"], "script[0]: must be a table"),
        ([{}], "script[0]: needs one verb"),
        ([{"say": "a", "wait": 1}], "script[0]: needs one verb"),
        ([{"say": "a"}, {"speak": "b"}], "script[1]: needs one verb"),
        ([{"say": ""}], "script[0].say: "),
        ([{"say": 1}], "script[0].say: "),
        ([{"say": "a", "loud": True}], "script[0].loud: unknown"),
        ([{"say": "a", "split": "lines"}], "script[0].split: must be one of"),
        ([{"say": "a", "split": ["words"]}], "script[0].split: must be one of"),
        ([{"say": "a", "every": -1}], "script[0].every: "),
        ([{"wait": "1"}], "script[0].wait: must be a number of seconds"),
        ([{"wait": True}], "script[0].wait: "),
        ([{"wait": float("nan")}], "script[0].wait: "),
        ([{"wait": float("inf")}], "script[0].wait: "),
        ([{"fail": "badly"}], "script[0].fail: must be one of unreachable"),
        ([{"fail": "bad_key", "times": 0}], "script[0].times: "),
        ([{"fail": "bad_key", "times": 1.5}], "script[0].times: "),
        ([{"fail": "bad_key", "retry_after": "x"}], "script[0].retry_after: "),
        ([{"hang": False}], "script[0].hang: must be true"),
        ([{"finish": "tired"}], "script[0].finish: must be one of stop"),
        ([{"finish": "stop"}, {"say": "a"}], "script[1]: is never reached"),
        ([{"fail": "bad_key"}, {"say": "a"}], "script[1]: is never reached"),
        ([{"repeat": 2}], "script[0].steps: "),
        ([{"repeat": 2, "steps": []}], "script[0].steps: "),
        ([{"repeat": 2, "steps": "say"}], "script[0].steps: "),
        ([{"repeat": 10**9, "steps": [{"say": "a"}]}], "script[0].repeat: "),
        ([{"repeat": 2, "steps": [{"say": "a"}, {"say": 2}]}], "script[0].steps[1].say: "),
        ([{"repeat": 2, "steps": [{"repeat": 2}]}], "script[0].steps[0]: needs one verb"),
        ([{"repeat": 2, "steps": [{"hang": True}]}, {"say": "a"}], "script[1]: is never"),
        ([{"health": "a"}, {"health": "b"}], "script[1].health: "),
        ([{"health": "a", "say": "b"}], "script[0].say: unknown"),
    ],
)
def test_complaint_names_the_place(tables: list[Any], place: str) -> None:
    """What is wrong is said with the index of the step and the name of the key."""
    with pytest.raises(ValueError, match=f"^{re.escape(place)}"):
        parse_script(tables)
