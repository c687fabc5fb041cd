import json

from ollama import ChatResponse

from cortexd.domain.answer import Batch, Finished, FinishReason, TextDelta, collect
from cortexd.domain.usage import Usage
from cortexd.wire.ollama.read_answer import LineDecoder
from cortexd.wire.ollama.write_answer import Durations, Head, encode_answer, encode_batch

HEAD = Head(model="m", created_at="2026-01-01T00:00:00+00:00")
DURATIONS = Durations(before_first_ns=3, after_first_ns=4)
EVENTS: Batch = (
    TextDelta("Hel\n"),
    TextDelta("lo é\u2028"),
    Finished(FinishReason.LENGTH, Usage(input_tokens=5, output_tokens=2)),
)


def test_the_official_client_understands_the_stream() -> None:
    """The text line by line, then one line with reason, counts and times, however it is split."""
    stream = encode_batch(EVENTS, head=HEAD, durations=DURATIONS)
    # As the official client does, which takes any Unicode line end for one.
    lines = [ChatResponse(**json.loads(line)) for line in stream.decode().splitlines()]
    assert [line.message.content for line in lines] == ["Hel\n", "lo é\u2028", ""]
    assert [line.done for line in lines] == [False, False, True]
    assert {(line.model, line.created_at, line.message.role) for line in lines} == {
        ("m", HEAD.created_at, "assistant")
    }
    last = lines[-1]
    assert last.done_reason == "length"
    assert (last.prompt_eval_count, last.eval_count) == (5, 2)
    assert (last.total_duration, last.prompt_eval_duration, last.eval_duration) == (7, 3, 4)
    assert last.load_duration == 0
    assert lines[0].done_reason is None
    assert lines[0].total_duration is None


def test_our_own_decoder_reads_it_back() -> None:
    """What the door writes is what the adapter of another node reads: the same events."""
    stream = encode_batch(EVENTS, head=HEAD, durations=DURATIONS)
    assert LineDecoder("id").feed(stream) == EVENTS


def test_the_official_client_understands_the_whole_answer() -> None:
    """An answer that is not streamed is the last line with all of the text."""
    body = encode_answer(
        collect((TextDelta("héllo"), Finished(FinishReason.STOP))), head=HEAD, durations=DURATIONS
    )
    answer = ChatResponse(**json.loads(body))
    assert answer.message.content == "héllo"
    assert answer.done
    assert answer.done_reason == "stop"
    assert (answer.prompt_eval_count, answer.eval_count) == (None, None), "nobody told them"
