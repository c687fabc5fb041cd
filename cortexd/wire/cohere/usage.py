"""How Cohere counts tokens: in floats, and what is billed apart from what there was.

Source: `types/usage.py` and `types/api_meta.py` of the official Python client (cohere).
"""

import msgspec

from cortexd.domain.usage import Usage


class SentTokens(msgspec.Struct):
    """Input and output."""

    input_tokens: float | None = None
    output_tokens: float | None = None


class SentUsage(msgspec.Struct):
    """The `usage` of an answer, or the `meta` of vectors."""

    tokens: SentTokens | None = None
    billed_units: SentTokens | None = None
    cached_tokens: float | None = None


def read_usage(sent: SentUsage | None) -> Usage | None:
    """The tokens there were, or else those that are billed."""
    counts = None if sent is None else sent.tokens or sent.billed_units
    if sent is None or counts is None:
        return None
    return Usage(
        input_tokens=round(counts.input_tokens or 0),
        output_tokens=round(counts.output_tokens or 0),
        cached_tokens=round(sent.cached_tokens or 0),
    )
