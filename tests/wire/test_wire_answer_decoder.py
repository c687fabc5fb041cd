"""What holds for every dialect's reader of answers, shown by one whose frames are words."""

import pytest

from cortexd.domain.answer import Batch, Finished, FinishReason, TextDelta
from cortexd.wire.answer_decoder import AnswerDecoder
from cortexd.wire.errors import MalformedStream
from cortexd.wire.ndjson import NdjsonDecoder

FINISHED = Finished(FinishReason.STOP)


class WordDecoder(AnswerDecoder[bytes]):
    """A line is a word; `.` ends the answer, as does the end of the body behind `ends`."""

    def __init__(self) -> None:
        super().__init__(NdjsonDecoder())
        self._last = b""

    def _read(self, frame: bytes) -> Batch | tuple[()]:
        self._last = frame
        match frame:
            case b"-":
                return ()
            case b"!":
                raise MalformedStream("no word")
            case b".":
                return (TextDelta("end"), FINISHED)
        return (TextDelta(frame.decode()),)

    def _end(self) -> Batch:
        if self._last != b"ends":
            raise MalformedStream("truncated: not at its end")
        return (FINISHED,)


def test_a_read_brings_all_that_its_frames_do() -> None:
    """Nothing, or several events in one batch."""
    decoder = WordDecoder()
    assert decoder.feed(b"a\n-\nb\nc") == (TextDelta("a"), TextDelta("b"))
    assert decoder.feed(b"") == ()
    assert decoder.feed(b"\n") == (TextDelta("c"),)
    assert decoder.feed(b"-\n") == ()
    assert not decoder.finished


def test_what_follows_the_last_event_is_read_over() -> None:
    """In the same read, in a later one, and at the end of the body: even what is wrong."""
    decoder = WordDecoder()
    assert decoder.feed(b"a\n.\n!\nb\n") == (TextDelta("a"), TextDelta("end"), FINISHED)
    assert decoder.finished
    assert decoder.feed(b"!\nb\n!") == ()
    assert decoder.close() == ()


def test_an_error_takes_the_events_of_its_read_with_it() -> None:
    """Those of the read before are out already."""
    decoder = WordDecoder()
    assert decoder.feed(b"a\n") == (TextDelta("a"),)
    with pytest.raises(MalformedStream, match="no word"):
        decoder.feed(b"b\n!\n")
    assert not decoder.finished


@pytest.mark.parametrize(
    ("body", "brought"),
    [
        (b"ends\n", (FINISHED,)),
        (b"a\nends", (TextDelta("ends"), FINISHED)),
        (b"a\n.", (TextDelta("end"), FINISHED)),
        (b".\n", ()),
    ],
)
def test_the_end_of_the_body_may_be_that_of_the_answer(body: bytes, brought: Batch) -> None:
    """With what its last frame brings, and only once."""
    decoder = WordDecoder()
    decoder.feed(body)
    assert decoder.close() == brought
    assert decoder.finished
    assert decoder.close() == ()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "truncated: not at its end"),
        (b"a\n", "truncated: not at its end"),
        (b"a\nb", "truncated: not at its end"),
        (b"a\n!", "truncated: the stream ended inside a line"),
    ],
)
def test_any_other_end_is_a_truncation(body: bytes, detail: str) -> None:
    """The answer is never whole."""
    decoder = WordDecoder()
    decoder.feed(body)
    with pytest.raises(MalformedStream, match=detail):
        decoder.close()
    assert not decoder.finished
