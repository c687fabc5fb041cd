"""What is kept of an answer for another worker, and how that one is asked."""

from typing import Any

import attrs
import pytest

from cortexd.domain.answer import (
    AnswerEvent,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.chat import (
    ChatRequest,
    JsonOutput,
    Message,
    Role,
    Sampling,
    Text,
    Thought,
    Tool,
    ToolCall,
    text_message,
)
from cortexd.domain.feature import Feature
from cortexd.policy.resume import KEPT_CHARACTERS_MAX, Transcript, continuation

QUESTION = text_message(Role.USER, "Why?")
PLAIN = ChatRequest(model="m", messages=(QUESTION,))


def _transcript(*events: AnswerEvent, request: ChatRequest = PLAIN) -> Transcript:
    transcript = Transcript(request)
    for event in events:
        transcript.take((event,))
    return transcript


def test_a_text_can_be_carried_on() -> None:
    """With the reasoning before it over, and with tools that nobody has called."""
    request = attrs.evolve(PLAIN, tools=(Tool("find"),))
    transcript = Transcript(request)
    assert transcript.can_be_resumed

    transcript.take((ReasoningDelta("hm"), TextDelta("Because")))
    transcript.take((TextDelta(" of"), TextDelta(" it")))

    assert transcript.can_be_resumed
    assert transcript.why_not == ""
    assert transcript.text == "Because of it"
    assert transcript.characters == len("hmBecause of it")


@pytest.mark.parametrize(
    ("events", "why_not"),
    [
        ([ReasoningDelta("hm")], "reasoning in progress"),
        ([TextDelta("a"), ReasoningDelta("hm")], "reasoning in progress"),
        ([TextDelta("a"), ToolCallStarted(0, "c", "find")], "tool calls"),
        ([ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{}"), TextDelta("a")], "tool calls"),
        ([ToolCallStarted(0, "c", "f"), Finished(FinishReason.TOOL_CALLS)], "tool calls"),
        ([TextDelta("a"), RefusalDelta("no"), TextDelta("a")], "refusal"),
        ([TextDelta("a"), Finished(FinishReason.STOP)], "complete"),
        ([TextDelta("a" * KEPT_CHARACTERS_MAX), TextDelta("a")], "length"),
        ([ReasoningDelta("a" * KEPT_CHARACTERS_MAX), TextDelta("a")], "length"),
    ],
)
def test_what_cannot(events: list[AnswerEvent], why_not: str) -> None:
    """Of an answer."""
    transcript = _transcript(*events)
    assert not transcript.can_be_resumed
    assert transcript.why_not == why_not


@pytest.mark.parametrize(
    ("changes", "why_not"),
    [
        ({"output": JsonOutput()}, "JSON output"),
        ({"output": JsonOutput(schema={})}, "JSON output"),
        ({"top_logprobs": 0}, "logprobs"),
        ({"top_logprobs": 3}, "logprobs"),
    ],
)
def test_what_never_can(changes: dict[str, Any], why_not: str) -> None:
    """Whatever the answer is; nothing of it is kept, but it is counted."""
    request = attrs.evolve(PLAIN, **changes)
    assert Transcript(request).why_not == why_not

    transcript = _transcript(ReasoningDelta("hm"), TextDelta("{}"), request=request)

    assert (transcript.why_not, transcript.text, transcript.characters) == (why_not, "", 4)


def test_a_long_answer_is_kept_up_to_the_limit() -> None:
    """And not at all beyond it."""
    transcript = _transcript(TextDelta("a" * KEPT_CHARACTERS_MAX))
    assert transcript.can_be_resumed
    assert len(transcript.text) == KEPT_CHARACTERS_MAX

    transcript.take((TextDelta("b"),))
    transcript.take((TextDelta("c"),))

    assert (transcript.text, transcript.can_be_resumed) == ("", False)
    assert transcript.characters == KEPT_CHARACTERS_MAX + 2


def test_everything_is_counted() -> None:
    """What a worker wants to be paid for: whatever it writes."""
    transcript = _transcript(
        ReasoningDelta("12"), TextDelta("3"), ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "4567")
    )
    assert transcript.characters == 7


def test_the_next_worker_is_asked_to_go_on() -> None:
    """The text stands at the end as the assistant's, and whoever is asked must be able to."""
    request = attrs.evolve(PLAIN, needs={Feature.SEED: "seed"})

    asked = continuation(request, "Because")

    assert asked.messages == (QUESTION, text_message(Role.ASSISTANT, "Because"))
    assert asked.needs == {Feature.SEED: "seed", Feature.PREFILL: "messages"}
    assert attrs.evolve(asked, messages=request.messages, needs=request.needs) == request


def test_it_goes_on_where_the_client_has_begun() -> None:
    """In the same part of the same message, lest there be a line end between."""
    begun = Message(Role.ASSISTANT, (Thought("hm"), Text("Well")), name="a")
    request = ChatRequest(
        model="m", messages=(QUESTION, begun), needs={Feature.PREFILL: "messages[1]"}
    )

    asked = continuation(request, ", because ")

    assert asked.messages[-1] == Message(
        Role.ASSISTANT, (Thought("hm"), Text("Well, because")), name="a"
    )
    assert asked.messages[-1].text == "Well, because"
    assert asked.needs == {Feature.PREFILL: "messages[1]"}


@pytest.mark.parametrize("parts", [(), (Text(""),), (ToolCall("c", "find", "{}"),)])
def test_it_goes_on_behind_a_message_without_text(parts: tuple[Text | ToolCall, ...]) -> None:
    """What else it holds stays."""
    messages = (QUESTION, Message(Role.ASSISTANT, parts))

    (_, last) = continuation(attrs.evolve(PLAIN, messages=messages), "Yes").messages

    assert last.text == "Yes"
    assert [p for p in last.parts if not isinstance(p, Text)] == [
        p for p in parts if not isinstance(p, Text)
    ]


@pytest.mark.parametrize("space", [" ", "\n\n", "\t \u00a0"])
def test_white_space_at_the_end_stays_here(space: str) -> None:
    """Anthropic would refuse it."""
    assert continuation(PLAIN, f" Because{space}").messages[-1].text == " Because"


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_without_words_it_begins_anew(text: str) -> None:
    """There is nothing to go on with."""
    assert continuation(PLAIN, text) == PLAIN


@pytest.mark.parametrize(
    ("limit", "characters", "left"), [(None, 400, None), (300, 400, 200), (300, 4000, 1)]
)
def test_the_limit_is_that_of_the_whole(
    limit: int | None, characters: int, left: int | None
) -> None:
    """What has been written is taken off, as far as that can be told."""
    request = attrs.evolve(PLAIN, sampling=Sampling(max_output_tokens=limit, seed=7))
    sampling = continuation(request, "a" * characters).sampling
    assert sampling == Sampling(max_output_tokens=left, seed=7)
