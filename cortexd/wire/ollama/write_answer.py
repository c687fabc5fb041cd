"""How an answer looks to clients of the Ollama dialect: lines of a stream, or one document.

Source of the shapes: `ChatResponse` and `Metrics` in `api/types.go` of ollama/ollama.
"""

import attrs

from cortexd.domain.answer import Batch, ChatAnswer, Finished, TextDelta
from cortexd.wire.ndjson import encode_line
from cortexd.wire.strict_json import dumps


@attrs.frozen(kw_only=True)
class Durations:
    """How long the answer took, in nanoseconds: until its first event, and from there on."""

    before_first_ns: int
    after_first_ns: int


@attrs.frozen(kw_only=True)
class Head:
    """What all lines of an answer share. `created_at` is a time in RFC 3339."""

    model: str
    created_at: str


def encode_batch(events: Batch, *, head: Head, durations: Durations) -> bytes:
    """The lines of a batch. `durations` go into the last line of the answer alone."""
    written: list[bytes] = []
    for event in events:
        match event:
            case TextDelta(text):
                written.append(encode_line(dumps(_line(head, text) | {"done": False})))
            case Finished():
                last = _line(head, "") | _end(event, durations)
                written.append(encode_line(dumps(last)))
    return b"".join(written)


def encode_answer(answer: ChatAnswer, *, head: Head, durations: Durations) -> bytes:
    """The whole answer as one document."""
    return dumps(_line(head, answer.text) | _end(answer.finished, durations))


def _line(head: Head, text: str) -> dict[str, object]:
    return {
        "model": head.model,
        "created_at": head.created_at,
        "message": {"role": "assistant", "content": text},
    }


def _end(finished: Finished, durations: Durations) -> dict[str, object]:
    """What only the last line says. Counts that nobody told are left out, as Ollama does."""
    end: dict[str, object] = {
        "done": True,
        "done_reason": finished.reason.value,
        "total_duration": durations.before_first_ns + durations.after_first_ns,
        # How much of the wait was loading weights is not known here.
        "load_duration": 0,
        "prompt_eval_duration": durations.before_first_ns,
        "eval_duration": durations.after_first_ns,
    }
    if finished.usage is not None:
        end["prompt_eval_count"] = finished.usage.input_tokens
        end["eval_count"] = finished.usage.output_tokens
    return end
