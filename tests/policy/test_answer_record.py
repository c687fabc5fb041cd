"""Records of answers, and how their pieces are joined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.answer import (
    AnswerEvent,
    Embedded,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    TokenProbability,
    ToolCallDelta,
    ToolCallStarted,
    collect,
)
from cortexd.policy.answer_record import (
    COALESCE_EVERY,
    PIECE_CHARACTERS,
    AnswerRecord,
    coalesced,
    kept_bytes,
)

LOGPROB = TokenLogprob(TokenProbability("a", -1.0), (TokenProbability("b", -2.0),))
END = Finished(FinishReason.STOP)

WORDS = st.sampled_from(["a", "bc", "déf", "x" * 3000])
PIECES = st.one_of(
    st.builds(TextDelta, WORDS),
    st.just(TextDelta("a", (LOGPROB,))),
    st.builds(RefusalDelta, WORDS),
    st.builds(ReasoningDelta, WORDS, st.none() | st.just("seal")),
    st.builds(ToolCallDelta, st.integers(0, 1), WORDS),
)
ANSWERS = st.lists(PIECES, max_size=40).map(
    lambda pieces: [
        ToolCallStarted(0, "i", "f"),
        ToolCallStarted(1, "j", "g"),
        *pieces,
        END,
    ]
)


@given(ANSWERS)
def test_joined_pieces_are_the_same_answer(events: list[AnswerEvent]) -> None:
    """In fewer pieces, none of them long, and joining them again changes nothing."""
    joined = coalesced(events)
    assert collect(joined) == collect(events)
    assert coalesced(joined) == joined
    assert len(joined) <= len(events)
    texts = [event.text for event in joined if isinstance(event, TextDelta)]
    assert all(len(text) <= PIECE_CHARACTERS for text in texts)


def test_what_belongs_to_different_things_is_not_joined() -> None:
    """Text and thought, two calls, a thought and the next, a token and its probability."""
    apart: list[AnswerEvent] = [
        TextDelta("a"),
        TextDelta("b", (LOGPROB,)),
        TextDelta("c", (LOGPROB,)),
        TextDelta("d"),
        ReasoningDelta("e"),
        ReasoningDelta("", "seal"),
        ReasoningDelta("f"),
        ToolCallDelta(0, "g"),
        ToolCallDelta(1, "h"),
        ToolCallDelta(0, "i"),
        RefusalDelta("j"),
        RefusalDelta("k"),
        END,
    ]
    assert coalesced(apart) == apart


def test_neighbours_are_joined() -> None:
    """Text to text, thought to thought, arguments to those of the same call."""
    joined = coalesced(
        [
            TextDelta("a"),
            TextDelta("b"),
            ReasoningDelta("c"),
            ReasoningDelta("d"),
            ToolCallDelta(1, "e"),
            ToolCallDelta(1, "f"),
        ]
    )
    assert joined == [TextDelta("ab"), ReasoningDelta("cd"), ToolCallDelta(1, "ef")]


@pytest.mark.slow
@given(ANSWERS, st.data())
def test_a_record_keeps_what_is_unread_and_the_place_of_each_reader(
    events: list[AnswerEvent], data: st.DataObject
) -> None:
    """Only what all have read is joined: behind it, the pieces are the ones that came."""
    record, read = AnswerRecord(), 0
    for at, event in enumerate(events, 1):
        record.add((event,))
        if data.draw(st.booleans()):
            read = data.draw(st.integers(read, len(record)))
            unread = record.events[read:]
            read -= record.coalesce(read)
            assert record.events[read:] == unread
        assert coalesced(record.events) == coalesced(events[:at])
    assert collect(record.events) == collect(events)


def test_a_record_says_when_it_is_time_to_join() -> None:
    """Every so many pieces; and joined, it is about as large as its text."""
    record = AnswerRecord()
    for _ in range(COALESCE_EVERY - 1):
        record.add((TextDelta("x"),))
    assert not record.is_scattered
    record.add((TextDelta("x"),))
    assert record.is_scattered

    assert record.coalesce(COALESCE_EVERY) == COALESCE_EVERY - 1
    assert record.events == [TextDelta("x" * COALESCE_EVERY)]
    assert record.size_bytes == kept_bytes(record.events[0])
    assert not record.is_scattered


def test_the_memory_an_event_takes() -> None:
    """Characters, four bytes each where one of them needs it; probabilities and numbers more."""
    nothing = kept_bytes(END)
    assert kept_bytes(TextDelta("x" * 100)) == kept_bytes(RefusalDelta("x" * 100)) == nothing + 100
    assert kept_bytes(ReasoningDelta("é" * 100)) == nothing + 400
    assert kept_bytes(ToolCallDelta(0, "x")) == nothing + 1
    assert kept_bytes(TextDelta("", (LOGPROB,))) >= nothing + 2 * 100
    assert kept_bytes(Embedded(((0.5,) * 10,) * 10)) >= nothing + 100 * 24
