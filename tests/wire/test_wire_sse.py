import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.wire.errors import MalformedStream
from cortexd.wire.sse import EVENT_BYTES_MAX, LINE_BYTES_MAX, SseDecoder, SseEvent, encode_data


def _decoded(*pieces: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def _split_everywhere(stream: bytes) -> list[SseEvent]:
    return _decoded(*(stream[i : i + 1] for i in range(len(stream))))


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [SseEvent(None, "a")]),
        (b"data: a\r\n\r\n", [SseEvent(None, "a")]),
        (b"data: a\r\r", [SseEvent(None, "a")]),
        (b"data: a\r\n\ndata: b\n\r", [SseEvent(None, "a"), SseEvent(None, "b")]),
        (b"data:a\n\n", [SseEvent(None, "a")]),
        (b"data:  a\n\n", [SseEvent(None, " a")]),
        (b"data: a\ndata: b\n\n", [SseEvent(None, "a\nb")]),
        (b"data\n\n", [SseEvent(None, "")]),
        (b"\xef\xbb\xbfdata: a\n\n", [SseEvent(None, "a")]),
        (b"data: \xef\xbb\xbfa\n\n", [SseEvent(None, "\ufeffa")]),
        (b": comment\ndata: a\n: another\n\n", [SseEvent(None, "a")]),
        (b": OPENROUTER PROCESSING\n\ndata: a\n\n", [SseEvent(None, "a")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [SseEvent("error", "a"), SseEvent(None, "b")]),
        (b"event: lost\n\ndata: a\n\n", [SseEvent(None, "a")]),
        (b"id: 1\nretry: 5\nnonsense\ndata: a\n\n", [SseEvent(None, "a")]),
        ("data: \u2028é\x85😀\n\n".encode(), [SseEvent(None, "\u2028é\x85😀")]),
        (b"\n\n\n", []),
        (b"data: cut off", []),
        (b"data: cut off\n", []),
        (b"", []),
    ],
)
def test_a_stream_is_understood_as_the_standard_says(
    stream: bytes, expected: list[SseEvent]
) -> None:
    """Each rule of the WHATWG standard holds, and the reads may cut the stream at any byte."""
    assert _decoded(stream) == expected
    assert _split_everywhere(stream) == expected
    for i in range(len(stream)):
        assert _decoded(stream[:i], stream[i:]) == expected


texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)


@given(
    st.lists(st.lists(texts, min_size=1, max_size=3), max_size=4),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 200)),
)
def test_cuts_change_nothing(events: list[list[str]], end: str, cuts: list[int]) -> None:
    """Whatever the line ends and wherever the reads cut, the events are those that were sent."""
    stream = "".join(
        "".join(f"data: {line}{end}" for line in lines) + end for lines in events
    ).encode()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert _decoded(*pieces) == [SseEvent(None, "\n".join(lines)) for lines in events]


def test_what_is_encoded_is_decoded() -> None:
    """`encode_data` writes one event that the decoder gives back."""
    assert _decoded(encode_data(b'{"a":1}')) == [SseEvent(None, '{"a":1}')]


@pytest.mark.parametrize("pieces", [1, 1000])
def test_a_line_has_a_limit(pieces: int) -> None:
    """A line of exactly the limit passes; one byte more is refused, ended or not."""
    longest = b"data:" + b"x" * (LINE_BYTES_MAX - 5)
    step = -(-len(longest) // pieces)
    cut = [longest[i : i + step] for i in range(0, len(longest), step)]
    assert len(_decoded(*cut, b"\n\n")) == 1
    with pytest.raises(MalformedStream, match="line"):
        _decoded(*cut, b"x")
    with pytest.raises(MalformedStream, match="line"):
        _decoded(longest + b"x\n\n")


def test_an_event_has_a_limit() -> None:
    """Data lines that each keep the limit may not add up to an endless event."""
    line = b"data:" + b"x" * (LINE_BYTES_MAX - 6) + b"\n"
    fitting = EVENT_BYTES_MAX // LINE_BYTES_MAX
    assert len(_decoded(line * fitting, b"\n", line * fitting, b"\n")) == 2
    with pytest.raises(MalformedStream, match="event"):
        _decoded(line * (fitting + 1))


@pytest.mark.parametrize(
    "stream", [b"data: \xff\n\n", b"data: \xc3\n\n", b"data: \xed\xa0\x80\n\n"]
)
def test_invalid_utf_8_is_an_error(stream: bytes) -> None:
    """Bytes that are no UTF-8 are not replaced: a garbled answer must not look whole."""
    with pytest.raises(MalformedStream, match="UTF-8"):
        _decoded(stream)
