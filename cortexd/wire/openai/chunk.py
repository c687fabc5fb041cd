"""What a chunk of a streamed answer holds, as far as it is of interest.

Source of the shapes: `types/chat/chat_completion_chunk.py` of the official Python client (openai);
for `x_groq`, the same file of Groq's (groq). Reasoning is no part of OpenAI's own dialect: vLLM,
llama.cpp and DeepSeek call it `reasoning_content`; Groq, OpenRouter and newer vLLM, `reasoning`.
"""

import msgspec

from cortexd.domain.answer import TokenLogprob, TokenProbability
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream
from cortexd.wire.openai.tool_call_stream import CallPiece


class Delta(msgspec.Struct):
    """What a chunk adds to the answer."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallPiece] | None = None


class _Probability(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None

    def read(self) -> TokenProbability:
        """In the domain's words."""
        utf8 = None if self.bytes is None else _utf8(self.bytes)
        return TokenProbability(self.token, self.logprob, utf8)


class _Token(_Probability):
    top_logprobs: list[_Probability] | None = None


class Logprobs(msgspec.Struct):
    """The probabilities of the tokens of one chunk."""

    content: list[_Token] | None = None

    def read(self) -> tuple[TokenLogprob, ...]:
        """In the domain's words."""
        return tuple(
            TokenLogprob(token.read(), tuple(one.read() for one in token.top_logprobs or ()))
            for token in self.content or ()
        )


class Choice(msgspec.Struct):
    """The answer; there is one alone, since more are never asked for."""

    delta: Delta | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class UsageShape(msgspec.Struct):
    """Token counts, each of which a server may leave out."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None

    def read(self) -> Usage:
        """In the domain's words; what is not told is zero."""
        prompt = self.prompt_tokens_details or _PromptDetails()
        completion = self.completion_tokens_details or _CompletionDetails()
        return Usage(
            self.prompt_tokens or 0,
            self.completion_tokens or 0,
            cached_tokens=prompt.cached_tokens or 0,
            cache_write_tokens=prompt.cache_write_tokens or 0,
            reasoning_tokens=completion.reasoning_tokens or 0,
        )


class GroqNotes(msgspec.Struct):
    """Groq's own member: usage whether it was asked for or not, and why a stream ends early."""

    usage: UsageShape | None = None
    error: object = None


class Chunk(msgspec.Struct):
    """The data of one event."""

    choices: list[Choice] | None = None
    usage: UsageShape | None = None
    error: object = None
    x_groq: GroqNotes | None = None


def _utf8(numbers: list[int]) -> bytes:
    try:
        return bytes(numbers)
    except ValueError:
        raise MalformedStream("a token with bytes that are none") from None
