"""The answer to POST /v1/messages/count_tokens, read from a worker and written for a client.

Source of the shape: `types/message_tokens_count.py` of the official Python client (anthropic).
"""

from typing import Final

import msgspec

from cortexd.wire import foreign_json
from cortexd.wire.strict_json import dumps


class _Count(msgspec.Struct):
    input_tokens: int


_counts: Final = msgspec.json.Decoder(_Count)


def read_token_count(body: bytes) -> int:
    """The number of tokens.

    Errors: `MalformedStream`.
    """
    return foreign_json.read(_counts, body, what="a count of tokens").input_tokens


def write_token_count(input_tokens: int) -> bytes:
    """The document; that it is an estimate, the dialect has no room to say."""
    return dumps({"input_tokens": input_tokens})
