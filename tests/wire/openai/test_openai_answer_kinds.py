"""Tool calls, reasoning, refusals, probabilities and usage in streamed answers."""

import json
from itertools import pairwise

import pytest
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
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.openai.read_answer import ChunkDecoder

ANSWER_ID = "0123456789abcdef"
DONE = "data: [DONE]\n\n"


def _chunk(delta: object = None, reason: str | None = None, **members: object) -> str:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": reason} | members
    return f"data: {json.dumps({'id': 'c', 'choices': [choice]})}\n\n"


def _calls(*pieces: object) -> str:
    return _chunk({"tool_calls": list(pieces)})


def _piece(index: int | None = None, **members: object) -> dict[str, object]:
    function = {name: members.pop(name) for name in ("name", "arguments") if name in members}
    piece: dict[str, object] = {} if index is None else {"index": index}
    return piece | members | ({"function": function} if function else {})


def _decoded(*pieces: bytes) -> Batch | tuple[()]:
    decoder = ChunkDecoder(ANSWER_ID)
    events: list[AnswerEvent] = []
    for piece in pieces:
        events += decoder.feed(piece)
    events += decoder.close()
    return tuple(events)


def _begun(*parts: str, reason: str = "tool_calls") -> Batch | tuple[()]:
    """The events before the last one, which must be the end."""
    *events, finished = _decoded("".join([*parts, _chunk(reason=reason), DONE]).encode())
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.TOOL_CALLS
    return tuple(events)


TWO_CALLS: Batch = (
    ToolCallStarted(0, "a", "look"),
    ToolCallDelta(0, '{"x":'),
    ToolCallDelta(0, "1}"),
    ToolCallStarted(1, "b", "wait"),
    ToolCallDelta(1, "{}"),
)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(
            [
                _calls(_piece(0, id="a", type="function", name="look", arguments="")),
                _calls(_piece(0, arguments='{"x":')),
                _calls(_piece(0, arguments="1}")),
                _calls(_piece(1, id="b", type="function", name="wait", arguments="")),
                _calls(_piece(1, arguments="{}")),
            ],
            id="openai",
        ),
        pytest.param(
            [
                _calls(_piece(0, id="a", name="look", arguments='{"x":')),
                _calls(_piece(0, id="a", name="look", arguments="1}"))
                + _calls(_piece(1, id="b", name="wait", arguments="{}")),
            ],
            id="id-and-name-repeated",
        ),
        pytest.param(
            [
                _calls(_piece(0, id="a", name="look", arguments='{"x":')),
                _calls(_piece(0, arguments="1}"), _piece(1, id="b", name="wait", arguments="{}")),
            ],
            id="several-in-a-chunk",
        ),
        pytest.param(
            [
                _calls(_piece(id="a", name="look", arguments='{"x":')),
                _calls(_piece(arguments="1}")),
                _calls(_piece(id="b", name="wait", arguments="{}")),
            ],
            id="no-index",
        ),
        pytest.param(
            [
                _calls(_piece(id="a", name="look", arguments='{"x":')),
                _calls(_piece(id="a", name="look", arguments="1}")),
                _calls(_piece(id="b", name="wait", arguments="{}")),
            ],
            id="no-index-but-ids",
        ),
        pytest.param(
            [
                _calls(_piece(0, id="a", name="look", arguments='{"x":')),
                _calls(_piece(0, arguments="1}")),
                _calls(_piece(0, id="b", name="wait")),
                _calls(_piece(0, arguments="{}")),
            ],
            id="index-always-0",
        ),
        pytest.param(
            [
                _calls(_piece(3, id="a", name="look", arguments='{"x":')),
                _calls(_piece(3, id="other", arguments="1}")),
                _calls(_piece(7, id="b", name="wait", arguments="{}")),
            ],
            id="index-from-anywhere",
        ),
    ],
)
def test_the_ways_servers_write_calls(parts: list[str]) -> None:
    """Each is the same two calls, numbered from 0, and ends for the tools to be called."""
    assert _begun(*parts) == TWO_CALLS
    assert _begun(*parts, reason="stop") == TWO_CALLS
    stream = "".join([*parts, _chunk(reason="function_call")]).encode()
    assert _decoded(*(stream[i : i + 1] for i in range(len(stream))))[:-1] == TWO_CALLS


@pytest.mark.parametrize("first_id", [None, "", "a"])
def test_calls_without_ids_get_some(first_id: str | None) -> None:
    """Made of the answer's id and the call's number; an id that is taken is none."""
    first, second = _begun(
        _calls(
            _piece(0, id=first_id, name="look", arguments=None), _piece(1, id=first_id, name="wait")
        )
    )
    assert first == ToolCallStarted(0, first_id or "call_0123456789ab_0", "look")
    assert second == ToolCallStarted(1, "call_0123456789ab_1", "wait")


@pytest.mark.parametrize(
    "piece",
    [
        {},
        _piece(0, id="a"),
        _piece(arguments="{}"),
        _piece(0, id="a", name="", arguments="{}"),
        {"index": "0", "function": {"name": "x"}},
        {"index": 0, "function": {"name": "x", "arguments": {}}},
        "x",
    ],
)
def test_a_call_that_is_none_is_malformed(piece: object) -> None:
    """Without a name, or of the wrong types, it cannot be called."""
    with pytest.raises(MalformedStream):
        _decoded(_calls(piece).encode())


def test_a_stop_without_calls_is_a_stop() -> None:
    """Only calls make an end of another kind of it."""
    assert _decoded(_chunk({"content": "x"}, "stop").encode())[-1] == Finished(FinishReason.STOP)
    cut = _calls(_piece(0, id="a", name="look")) + _chunk(reason="length")
    assert _decoded(cut.encode())[-1] == Finished(FinishReason.LENGTH)


@pytest.mark.parametrize(
    ("delta", "events"),
    [
        ({"reasoning_content": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning": "hm", "reasoning_content": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning": "hm", "content": "x"}, [ReasoningDelta("hm"), TextDelta("x")]),
        ({"reasoning": "", "reasoning_content": None, "content": ""}, []),
        ({"refusal": "no"}, [RefusalDelta("no")]),
        ({"content": "x", "refusal": ""}, [TextDelta("x")]),
    ],
)
def test_reasoning_and_refusals(delta: object, events: list[AnswerEvent]) -> None:
    """Each of its names is reasoning, and once; what is empty is nothing."""
    stream = _chunk(delta) + _chunk(reason="stop") + DONE
    assert list(_decoded(stream.encode())[:-1]) == events


# As llama.cpp writes it.
TOKEN = {
    "id": 7,
    "token": "Paris",
    "bytes": [80, 97],
    "logprob": -0.5,
    "top_logprobs": [{"id": 8, "token": "\ufffd", "bytes": [195], "logprob": -2}],
}
READ = TokenLogprob(
    TokenProbability("Paris", -0.5, b"Pa"), (TokenProbability("\ufffd", -2.0, b"\xc3"),)
)


@pytest.mark.parametrize(
    ("chunk", "events"),
    [
        (_chunk({"content": "x"}, logprobs={"content": [TOKEN]}), [TextDelta("x", (READ,))]),
        (_chunk({"content": ""}, logprobs={"content": [TOKEN]}), [TextDelta("", (READ,))]),
        (_chunk(logprobs={"content": [TOKEN, TOKEN]}), [TextDelta("", (READ, READ))]),
        (_chunk({"content": "x"}, logprobs={"content": []}), [TextDelta("x")]),
        (_chunk({"content": "x"}, logprobs={"content": None}), [TextDelta("x")]),
        (
            _chunk({"content": "x"}, logprobs={"content": [{"token": "x", "logprob": -1}]}),
            [TextDelta("x", (TokenLogprob(TokenProbability("x", -1.0)),))],
        ),
    ],
)
def test_probabilities(chunk: str, events: list[AnswerEvent]) -> None:
    """They come with their text, or without any."""
    assert list(_decoded((chunk + _chunk(reason="stop")).encode())[:-1]) == events


@pytest.mark.parametrize("numbers", [[256], [-1], [2**70], ["a"]])
def test_bytes_that_are_none(numbers: list[object]) -> None:
    """A number that is no byte is malformed."""
    chunk = _chunk({"content": "x"}, logprobs={"content": [TOKEN | {"bytes": numbers}]})
    with pytest.raises(MalformedStream):
        _decoded(chunk.encode())


def _usage(**members: object) -> str:
    return f"data: {json.dumps({'choices': [], **members})}\n\n"


COUNTS = {"prompt_tokens": 9, "completion_tokens": 5}


@pytest.mark.parametrize(
    ("chunk", "usage"),
    [
        (_usage(usage=COUNTS), Usage(9, 5)),
        (
            _usage(
                usage=COUNTS
                | {
                    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0},
                }
            ),
            Usage(9, 5, cached_tokens=4, cache_write_tokens=2, reasoning_tokens=3),
        ),
        (
            _usage(
                usage=COUNTS
                | {
                    "prompt_tokens_details": {"cached_tokens": None},
                    "completion_tokens_details": None,
                }
            ),
            Usage(9, 5),
        ),
        (_usage(x_groq={"id": "req", "usage": COUNTS | {"total_time": 0.5}}), Usage(9, 5)),
        (_usage(x_groq={"id": "req"}), None),
        (_usage(x_groq={"usage": {"prompt_tokens": 1}}, usage=COUNTS), Usage(9, 5)),
    ],
)
def test_usage(chunk: str, usage: Usage | None) -> None:
    """With its details, and where Groq tells it without being asked."""
    stream = _chunk({"content": "x"}, "stop") + chunk + DONE
    assert _decoded(stream.encode())[-1] == Finished(FinishReason.STOP, usage)


def test_groq_tells_why_it_stops_early() -> None:
    """An error in Groq's own member is one, also beside a finish reason."""
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunk = {"choices": [choice], "x_groq": {"id": "req", "error": "over capacity"}}
    with pytest.raises(UpstreamError) as caught:
        _decoded(f"{_chunk({'content': 'x'})}data: {json.dumps(chunk)}\n\n".encode())
    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert caught.value.detail == "over capacity"


RECORDED = "".join(
    [
        _chunk({"role": "assistant", "content": None}),
        _chunk({"reasoning": "é"}),
        _chunk({"content": "né"}, logprobs={"content": [TOKEN]}),
        _calls(_piece(0, id="a", name="look", arguments='{"ü":')),
        _calls(_piece(0, arguments="1}")),
        _chunk(reason="tool_calls"),
        _usage(usage=COUNTS, x_groq={"id": "req"}),
        DONE,
    ]
).encode()


@given(st.lists(st.integers(0, len(RECORDED)), max_size=8).map(sorted))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    """Wherever the reads end, the answer is the same."""
    places = [0, *cuts, len(RECORDED)]
    pieces = [RECORDED[a:b] for a, b in pairwise(places)]
    assert _decoded(*pieces) == _decoded(RECORDED)
    assert _decoded(RECORDED)[-1] == Finished(FinishReason.TOOL_CALLS, Usage(9, 5))
