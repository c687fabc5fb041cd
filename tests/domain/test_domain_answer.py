"""An answer put together from its events."""

import pytest

from cortexd.domain.answer import (
    Batch,
    ChatAnswer,
    Embedded,
    Finished,
    FinishReason,
    InputCounted,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    TokenProbability,
    ToolCallDelta,
    ToolCallStarted,
    collect,
    weight,
)
from cortexd.domain.chat import Text, Thought, ToolCall

END = Finished(FinishReason.STOP)
LIKELY = TokenLogprob(TokenProbability("a", -0.1))


def test_parts_keep_their_order() -> None:
    """Pieces of one kind become one part; another kind in between begins a new one."""
    events: Batch = (
        ReasoningDelta("th"),
        ReasoningDelta("ink"),
        TextDelta("a", (LIKELY,)),
        TextDelta("b"),
        ToolCallStarted(0, "c0", "f"),
        ToolCallDelta(0, '{"x":'),
        ToolCallStarted(1, "c1", "g"),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, "1}"),
        TextDelta("c"),
        END,
    )
    assert collect(events) == ChatAnswer(
        parts=(
            Thought("think"),
            Text("ab"),
            ToolCall("c0", "f", '{"x":1}'),
            ToolCall("c1", "g", "{}"),
            Text("c"),
        ),
        refusal="",
        logprobs=(LIKELY,),
        finished=END,
    )


def test_a_signature_seals_its_thought() -> None:
    """What is thought behind it is another thought."""
    events: Batch = (
        ReasoningDelta("one"),
        ReasoningDelta("", "sealed"),
        ReasoningDelta("two"),
        END,
    )
    answer = collect(events)
    assert answer.parts == (Thought("one", "sealed"), Thought("two"))
    assert answer.reasoning == "onetwo"


def test_the_words_of_a_refusal_are_no_text() -> None:
    """They stand apart."""
    answer = collect((RefusalDelta("I "), RefusalDelta("won't"), END))
    assert (answer.text, answer.refusal, answer.tool_calls) == ("", "I won't", ())


def test_what_is_not_whole_is_no_answer() -> None:
    """The last event must say that all has come."""
    with pytest.raises(TypeError):
        collect((TextDelta("a"),))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (TextDelta("abc"), 3),
        (RefusalDelta("ab"), 2),
        (ReasoningDelta("abcd"), 4),
        (ToolCallDelta(0, "{}"), 2),
        (Embedded(((1.0, 2.0), (3.0, 4.0))), 4),
        (InputCounted(7, is_estimate=True), 0),
        (END, 0),
    ],
)
def test_what_keeping_an_event_costs(event: TextDelta, expected: int) -> None:
    """Characters, or numbers."""
    assert weight(event) == expected
