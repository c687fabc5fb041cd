from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import (
    Message,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawContentBlockStopEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
)
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
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
from cortexd.domain.usage import Usage
from cortexd.wire.anthropic.read_answer import MessageDecoder
from cortexd.wire.anthropic.write_answer import Head, encode_answer, without_thoughts
from cortexd.wire.anthropic.write_stream import StreamEncoder
from cortexd.wire.errors import MalformedStream
from cortexd.wire.sse import SseDecoder

HEAD = Head(message_id="msg_1", model="m")
USAGE = Usage(
    input_tokens=10, output_tokens=9, cached_tokens=3, cache_write_tokens=2, reasoning_tokens=4
)
EVENTS: Batch = (
    ReasoningDelta("H"),
    ReasoningDelta("m"),
    ReasoningDelta("", "sig"),
    ReasoningDelta("", "redacted:xyz"),
    ReasoningDelta("Oh", "gis"),
    TextDelta('Hel"\n'),
    TextDelta("lo é\u2028😀"),
    ToolCallStarted(0, "toolu_1", "weather"),
    ToolCallDelta(0, '{"city":'),
    ToolCallDelta(0, '"Rome"}'),
    ToolCallStarted(1, "toolu_2", "now"),
    Finished(FinishReason.TOOL_CALLS, USAGE),
)
END = Finished(FinishReason.STOP)
TYPES: dict[str, Any] = {
    "message_start": RawMessageStartEvent,
    "content_block_start": RawContentBlockStartEvent,
    "content_block_delta": RawContentBlockDeltaEvent,
    "content_block_stop": RawContentBlockStopEvent,
    "message_delta": RawMessageDeltaEvent,
    "message_stop": RawMessageStopEvent,
}


def _stream(*events: AnswerEvent) -> bytes:
    return StreamEncoder(HEAD).encode(events)


def _events(stream: bytes) -> Iterator[Any]:
    """What the official client makes of each event, which must be of the kind its name says."""
    for event in SseDecoder().feed(stream):
        assert event.event is not None
        yield TYPES[event.event].model_validate_json(event.data, strict=True)


def _accumulated(stream: bytes) -> dict[str, Any]:
    """The message that the official client puts together from a stream."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in _events(stream):
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return _told(snapshot)


def _whole(*events: AnswerEvent) -> dict[str, Any]:
    body = encode_answer(collect(events), HEAD)
    return _told(Message.model_validate_json(body, strict=True))


def _told(message: Any) -> dict[str, Any]:
    told: dict[str, Any] = message.model_dump(exclude_none=True)
    return told


def test_the_stream_in_full() -> None:
    """Every block starts, grows and stops, one after the other."""
    kinds = [(event.type, getattr(event, "index", None)) for event in _events(_stream(*EVENTS))]
    start, delta, stop = "content_block_start", "content_block_delta", "content_block_stop"
    assert kinds == [
        ("message_start", None),
        *((start, 0), (delta, 0), (delta, 0), (delta, 0), (stop, 0)),
        *((start, 1), (stop, 1)),
        *((start, 2), (delta, 2), (delta, 2), (stop, 2)),
        *((start, 3), (delta, 3), (delta, 3), (stop, 3)),
        *((start, 4), (delta, 4), (delta, 4), (stop, 4)),
        *((start, 5), (stop, 5)),
        ("message_delta", None),
        ("message_stop", None),
    ]


def test_the_official_client_puts_the_same_message_together() -> None:
    """Streamed or whole; what was cached is not among the input."""
    message = _accumulated(_stream(*EVENTS))
    assert message == _whole(*EVENTS)
    assert message == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "thinking", "thinking": "Oh", "signature": "gis"},
            {"type": "text", "text": 'Hel"\nlo é\u2028😀'},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
        ],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 3,
            "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 4},
        },
    }


def test_batches_add_up() -> None:
    """However the events are batched, the same bytes go out, and the end once."""
    one_by_one = StreamEncoder(HEAD)
    pieces = [one_by_one.encode((event,)) for event in EVENTS]
    assert b"".join(pieces) == _stream(*EVENTS)
    assert [b"message_stop" in piece for piece in pieces] == [False] * 11 + [True]
    assert [b"message_start" in piece for piece in pieces] == [True] + [False] * 11


def test_our_own_decoder_reads_it_back() -> None:
    """What the door writes is what the adapter of another node reads: the same events."""
    split: Batch = (*EVENTS[:4], ReasoningDelta("Oh"), ReasoningDelta("", "gis"), *EVENTS[5:])
    assert MessageDecoder("id").feed(_stream(*EVENTS)) == split
    assert collect(split) == collect(EVENTS)


@pytest.mark.parametrize(
    ("finished", "reason"),
    [
        (Finished(FinishReason.STOP), "end_turn"),
        (Finished(FinishReason.STOP, stop_sequence="x"), "stop_sequence"),
        (Finished(FinishReason.LENGTH), "max_tokens"),
        (Finished(FinishReason.TOOL_CALLS), "tool_use"),
        (Finished(FinishReason.CONTENT_FILTER), "refusal"),
    ],
)
def test_why_it_ended(finished: Finished, reason: str) -> None:
    """The dialect's words for it, and the text that stopped it."""
    for message in (_accumulated(_stream(finished)), _whole(finished)):
        assert message["stop_reason"] == reason
        assert message.get("stop_sequence") == finished.stop_sequence
        assert message["content"] == []


def test_unknown_usage_is_nothing() -> None:
    """The types demand counts; of a worker that tells none they are zero."""
    for message in (_accumulated(_stream(END)), _whole(END)):
        assert message["usage"] == {"input_tokens": 0, "output_tokens": 0}


def test_a_refusal_is_a_text_by_itself() -> None:
    """The dialect has no other word for it."""
    events = (TextDelta("Well"), RefusalDelta("I "), RefusalDelta("won't"), END)
    for message in (_accumulated(_stream(*events)), _whole(*events)):
        assert message["content"] == [
            {"type": "text", "text": "Well"},
            {"type": "text", "text": "I won't"},
        ]


def test_a_thought_without_a_seal_has_an_empty_one() -> None:
    """The types demand one."""
    events = (ReasoningDelta("Hm"), TextDelta("Hi"), END)
    for message in (_accumulated(_stream(*events)), _whole(*events)):
        assert message["content"][0] == {"type": "thinking", "thinking": "Hm", "signature": ""}


def test_thoughts_are_left_out_but_for_their_seals() -> None:
    """Which is all that the next request has to bring back."""
    events = without_thoughts((*EVENTS[:5], ReasoningDelta("no seal"), *EVENTS[5:]))
    for message in (_accumulated(_stream(*events)), _whole(*events)):
        assert message["content"][:4] == [
            {"type": "thinking", "thinking": "", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "thinking", "thinking": "", "signature": "gis"},
            {"type": "text", "text": 'Hel"\nlo é\u2028😀'},
        ]


def test_empty_pieces_make_no_block() -> None:
    """A text may be empty only for the probabilities it carries, which nobody can ask for here."""
    logprobs = (TokenLogprob(TokenProbability("a", -1.0)),)
    events = (TextDelta("", logprobs), END)
    for message in (_accumulated(_stream(*events)), _whole(*events)):
        assert message["content"] == []


def test_arguments_that_were_cut_off_are_left_out() -> None:
    """Nobody can call with them; but only the last call can have been cut."""
    cut = (*EVENTS[:9], Finished(FinishReason.LENGTH))
    kinds = [block["type"] for block in _whole(*cut)["content"]]
    assert kinds == ["thinking", "redacted_thinking", "thinking", "text"]
    garbled = (*EVENTS[:9], *EVENTS[10:11], Finished(FinishReason.LENGTH))
    for events in (garbled, (*EVENTS[:9], EVENTS[-1])):
        with pytest.raises(MalformedStream):
            _whole(*events)


def test_calls_that_are_mixed_up_are_malformed() -> None:
    """The dialect's blocks come one after the other."""
    with pytest.raises(MalformedStream):
        _stream(*EVENTS[7:11], ToolCallDelta(0, "x"))


PIECES = st.one_of(
    st.builds(TextDelta, st.text(min_size=1, max_size=3)),
    st.builds(ReasoningDelta, st.text(max_size=3), st.sampled_from([None, "s", "t"])),
    st.builds(RefusalDelta, st.text(min_size=1, max_size=3)),
)


@given(st.lists(PIECES, max_size=8), st.sets(st.integers(0, 8)))
def test_any_answer_is_told_alike(pieces: list[AnswerEvent], cuts: set[int]) -> None:
    """However it is batched, streamed and whole say the same, if refusals come at the end."""
    events = sorted(pieces, key=lambda event: isinstance(event, RefusalDelta))
    encoder, stream = StreamEncoder(HEAD), b""
    for position, event in enumerate((*events, END)):
        if position in cuts:
            stream += encoder.encode(())
        stream += encoder.encode((event,))
    assert _accumulated(stream) == _whole(*events, END)
