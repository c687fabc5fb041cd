"""The probabilities of tokens in the Ollama dialect, both ways.

Source of the shapes: `Logprob` and `TokenLogprob` in `api/types.go` of ollama/ollama.
"""

from collections.abc import Sequence

import msgspec

from cortexd.domain.answer import TokenLogprob, TokenProbability
from cortexd.wire.errors import MalformedStream


class SentProbability(msgspec.Struct):
    """One token that might stand at a place, as a worker sends it."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class SentLogprob(SentProbability):
    """The token that stands at a place, as a worker sends it."""

    top_logprobs: list[SentProbability] | None = None


def read_logprobs(sent: Sequence[SentLogprob]) -> tuple[TokenLogprob, ...]:
    """The probabilities in a line.

    Errors: `MalformedStream` for bytes that are none.
    """
    return tuple(
        TokenLogprob(_read(one), tuple(_read(other) for other in one.top_logprobs or ()))
        for one in sent
    )


def write_logprobs(logprobs: Sequence[TokenLogprob]) -> list[dict[str, object]]:
    """The probabilities as a line tells them."""
    return [
        _write(one.chosen)
        | (
            {"top_logprobs": [_write(other) for other in one.alternatives]}
            if one.alternatives
            else {}
        )
        for one in logprobs
    ]


def _read(sent: SentProbability) -> TokenProbability:
    if sent.bytes is None:
        return TokenProbability(sent.token, sent.logprob)
    try:
        return TokenProbability(sent.token, sent.logprob, bytes(sent.bytes))
    except ValueError as exc:
        raise MalformedStream("a token whose bytes are none") from exc


def _write(one: TokenProbability) -> dict[str, object]:
    written: dict[str, object] = {"token": one.token, "logprob": one.logprob}
    return written if one.utf8 is None else written | {"bytes": list(one.utf8)}
