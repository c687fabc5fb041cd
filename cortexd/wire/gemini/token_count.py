"""What Gemini is asked to count, and what it answers: POST …/models/{model}:countTokens.

Source: `CountTokensRequest` and `CountTokensResponse` in generative_service.proto of
googleapis/googleapis.
"""

from typing import Final

import msgspec

from cortexd.domain.chat import ChatRequest
from cortexd.wire import foreign_json
from cortexd.wire.gemini.write_request import write_chat_request


class _Count(msgspec.Struct, rename="camel"):
    total_tokens: int


_counts: Final = msgspec.json.Decoder(_Count)


def write_token_count_request(request: ChatRequest, *, model: str) -> dict[str, object]:
    """The body. The other form it may have knows neither system texts nor tools."""
    asked: dict[str, object] = {"model": f"models/{model}"}
    return {"generateContentRequest": asked | write_chat_request(request, model=model)}


def read_token_count(body: bytes) -> int:
    """How many tokens the prompt has.

    Errors: `MalformedStream`.
    """
    return foreign_json.read(_counts, body, what="a count of tokens").total_tokens
