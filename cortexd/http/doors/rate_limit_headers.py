"""What a client may still spend, in the headers that OpenAI's clients look for.

Source: OpenAI's guide to rate limits: `x-ratelimit-limit-requests`, `-remaining-requests` and
`-reset-requests`, the same of `tokens`; the reset as Go writes durations ("6m0s", "1.5s").
"""

import math

from cortexd.policy.rate_limit import Allowance, Bucket


def rate_limit_headers(allowance: Allowance, now: float) -> list[tuple[str, str]]:
    """The headers; none where nothing is limited. `now` is on the monotonic clock."""
    headers: list[tuple[str, str]] = []
    for window, bucket in (("requests", allowance.requests), ("tokens", allowance.tokens)):
        if bucket is not None:
            headers += _of(window, bucket, now)
    return headers


def _of(window: str, bucket: Bucket, now: float) -> list[tuple[str, str]]:
    remaining = max(0, math.floor(bucket.level(now)))
    return [
        (f"x-ratelimit-limit-{window}", str(bucket.per_minute)),
        (f"x-ratelimit-remaining-{window}", str(remaining)),
        (f"x-ratelimit-reset-{window}", f"{bucket.full_in_s(now):.3f}s"),
    ]
