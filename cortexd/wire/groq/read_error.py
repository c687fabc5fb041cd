"""What Groq's errors mean, as far as it is not the same as OpenAI's.

Source: Groq's guide to rate limits. A 429 comes of a limit by the minute or by the day, under one
code; the message alone tells which: "… on requests per day (RPD): Limit 1000, Used 1000 …".
"""

from typing import Final

import attrs

from cortexd.domain.failure import FailureKind
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.openai import read_answer as openai

_BY_THE_DAY: Final = "per day ("


def decode_error(answer: FailedAnswer) -> UpstreamError:
    """The failure behind an answer that is no stream; what is used up for the day is a quota."""
    error = openai.decode_error(answer)
    if error.kind is FailureKind.RATE_LIMITED and _BY_THE_DAY in (error.told or ""):
        return attrs.evolve(error, kind=FailureKind.QUOTA_EXHAUSTED)
    return error
