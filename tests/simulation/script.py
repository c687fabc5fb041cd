"""What is asked and what is answered: everything about an answer follows from its question.

All simulated servers would say the same, so whoever serves a question, from its beginning or from
where another one stopped, what the client reads is known beforehand.
"""

import json
import re
from typing import Any, Final

import attrs

from cortexd.policy.overlap import END_CHARACTERS_MIN, WHOLE_CHARACTERS_MIN
from tests.fakes.scene import Call, Say, Scene, Think, words

_QUESTION: Final = re.compile(r"question (\d+): (\d+) words(, thinking)?")

THOUGHT: Final = "Let me think about that. "
TOOL: Final = "weather"


@attrs.frozen(kw_only=True)
class Question:
    """`has_tools`: the answer is a call, not a text."""

    number: int
    words: int
    thinks: bool = False
    has_tools: bool = False

    @property
    def text(self) -> str:
        """How it is put to a model."""
        return f"question {self.number}: {self.words} words" + ", thinking" * self.thinks

    @property
    def answer(self) -> str:
        """The text of the answer."""
        return "" if self.has_tools else " ".join(f"{self.number}.{i}" for i in range(self.words))

    @property
    def thought(self) -> str:
        """The reasoning before the answer."""
        return THOUGHT if self.thinks and not self.has_tools else ""

    @property
    def call(self) -> dict[str, Any] | None:
        """The arguments of the call that the answer is, if it is one."""
        return {"city": f"Town {self.number}"} if self.has_tools else None


def read_question(understood: dict[str, Any]) -> tuple[Question, str]:
    """The question of a chat that a fake has understood, and how much of its answer is there."""
    messages = understood["messages"]
    asked = next(message for message in reversed(messages) if message["role"] == "user")
    found = _QUESTION.fullmatch(asked["text"])
    if found is None:
        raise AssertionError(f"not as it was asked: {asked['text']!r}")
    question = Question(
        number=int(found[1]),
        words=int(found[2]),
        thinks=found[3] is not None,
        has_tools="tools" in understood,
    )
    last = messages[-1]
    return question, last["text"] if last["role"] == "assistant" else ""


def scene_of(question: Question, *, said: str = "", repeated: int = 0) -> Scene:
    """The answer, but for what has been `said`, of which so many characters come once more."""
    if question.call is not None:
        return Scene.of(Call(TOOL, question.call))
    if not question.answer.startswith(said):
        raise AssertionError(f"asked to carry on what nobody has said: {said!r}")
    rest = Say(words(question.answer[max(0, len(said) - repeated) :]))
    thought = question.thought
    return Scene.of(Think(words(thought)), rest) if thought and not said else Scene.of(rest)


def repeatable(said: str) -> list[int]:
    """How many of the last characters may be said again, so that it is noticed for certain.

    All of it, or its end from the beginning of a word; but nothing so short that it might be meant.
    """
    whole = [len(said)] if len(said) >= WHOLE_CHARACTERS_MIN else []
    ends = [
        len(said) - start
        for start in range(1, len(said) - END_CHARACTERS_MIN + 1)
        if said[start - 1].isspace() and not said[start].isspace()
    ]
    return [0, *whole, *ends]


def is_same_call(question: Question, calls: list[tuple[str, str, dict[str, Any]]]) -> bool:
    """Whether the calls that a client has read are the one that was made."""
    if question.call is None:
        return not calls
    return [(name, json.dumps(given)) for _, name, given in calls] == [
        (TOOL, json.dumps(question.call))
    ]
