"""What the gateway benchmark takes for a right answer."""

import pytest

from bench.gateway.script import (
    Asked,
    Script,
    WrongAnswer,
    check_answer,
    decode_request,
    encode_document,
    encode_request,
    encode_stream,
)

WHOLE = Script(3)
STREAMED = Script(3, 0.02, stream=True)
STREAM = b"".join(encode_stream(3, include_usage=True))


@pytest.mark.parametrize("script", [WHOLE, STREAMED])
def test_the_upstream_reads_the_script_that_was_asked_for(script: Script) -> None:
    """A script survives the way through a request."""
    assert decode_request(encode_request(script)) == Asked(script, include_usage=False)


def test_usage_is_sent_where_it_is_asked_for() -> None:
    """Some gateways ask for it on behalf of their clients."""
    body = encode_request(STREAMED)[:-1] + b',"stream_options":{"include_usage":true}}'
    assert decode_request(body).include_usage
    assert b"prompt_tokens" in STREAM
    assert b"prompt_tokens" not in b"".join(encode_stream(3, include_usage=False))


@pytest.mark.parametrize("pieces", [1, 3])
def test_right_answers_pass(pieces: int) -> None:
    """What the upstream sends is right, in both forms."""
    check_answer(Script(pieces), encode_document(pieces))
    streamed = b"".join(encode_stream(pieces, include_usage=False))
    check_answer(Script(pieces, stream=True), streamed)


EVENTS = STREAM.split(b"\n\n")


@pytest.mark.parametrize(
    ("script", "body"),
    [
        pytest.param(WHOLE, encode_document(2), id="a piece too few"),
        pytest.param(WHOLE, encode_document(3).replace(b'"stop"', b"null"), id="unfinished"),
        pytest.param(WHOLE, STREAM, id="a stream for a document"),
        pytest.param(WHOLE, b"", id="nothing"),
        pytest.param(STREAMED, encode_document(3), id="a document for a stream"),
        pytest.param(STREAMED, b"", id="an empty stream"),
        pytest.param(STREAMED, b"\n\n".join([*EVENTS[:2], *EVENTS[3:]]), id="one lost"),
        pytest.param(
            STREAMED, b"\n\n".join([EVENTS[0], EVENTS[2], EVENTS[1], *EVENTS[3:]]), id="disordered"
        ),
        pytest.param(STREAMED, STREAM.replace(b"data: [DONE]\n\n", b""), id="no terminator"),
        pytest.param(STREAMED, STREAM.replace(b'"stop"', b"null"), id="no finish reason"),
        pytest.param(STREAMED, STREAM.replace(b'"choices"', b'"chose"'), id="another shape"),
    ],
)
def test_wrong_answers_do_not_pass(script: Script, body: bytes) -> None:
    """An answer that lacks anything, or has it in another order, is no answer."""
    with pytest.raises(WrongAnswer):
        check_answer(script, body)
