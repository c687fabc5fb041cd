import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.wire.errors import MalformedStream
from cortexd.wire.ndjson import LINE_BYTES_MAX, NdjsonDecoder, encode_line


def _decoded(*pieces: bytes) -> list[bytes]:
    decoder = NdjsonDecoder()
    return [*(line for piece in pieces for line in decoder.feed(piece)), *decoder.close()]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"{}\n", [b"{}"]),
        (b"{}\n{}\n", [b"{}", b"{}"]),
        (b"{}", [b"{}"]),
        (b"\n \n{}\n\r\n", [b"{}"]),
        ('{"a":"é\u2028"}\n'.encode(), ['{"a":"é\u2028"}'.encode()]),
        (b"", []),
    ],
)
def test_lines_come_out_whole(stream: bytes, expected: list[bytes]) -> None:
    """Lines end at LF and nowhere else, blank ones are skipped, the last LF may be missing."""
    assert _decoded(stream) == expected
    assert _decoded(*(stream[i : i + 1] for i in range(len(stream)))) == expected


def test_an_unfinished_line_waits() -> None:
    """`feed` gives out no line before its LF has come."""
    decoder = NdjsonDecoder()
    assert decoder.feed(b'{"a"') == []
    assert decoder.feed(b":1}\n") == [b'{"a":1}']
    assert decoder.close() == []


@given(st.lists(st.binary(min_size=1).filter(lambda x: b"\n" not in x and x.strip())), st.data())
def test_cuts_change_nothing(lines: list[bytes], data: st.DataObject) -> None:
    """Wherever the reads cut the stream, the lines are those that were sent."""
    stream = b"".join(map(encode_line, lines))
    cut = data.draw(st.integers(0, len(stream)))
    assert _decoded(stream[:cut], stream[cut:]) == lines


def test_a_line_has_a_limit() -> None:
    """A line of exactly the limit passes; one byte more is refused, ended or not."""
    assert len(_decoded(b"x" * LINE_BYTES_MAX, b"\n")) == 1
    with pytest.raises(MalformedStream, match="line"):
        _decoded(b"x" * LINE_BYTES_MAX, b"x")
    with pytest.raises(MalformedStream, match="line"):
        _decoded(b"x" * (LINE_BYTES_MAX + 1) + b"\n")
