"""What the node has done since it started, counted as it happens."""

from typing import Final

import attrs

from cortexd.domain.events import AttemptEnded, Event, ExchangeEnded
from cortexd.domain.outcome import Outcome
from cortexd.policy.ttft_buckets import BUCKETS, bucket_of

ERRORS: Final = frozenset(
    {Outcome.FAILED, Outcome.UNAVAILABLE, Outcome.DEADLINE_EXCEEDED, Outcome.NODE_STOPPED}
)
"""The outcomes that neither the client nor a limit on purpose has brought about."""


@attrs.frozen(kw_only=True)
class LoadCounts:
    """The counts at a moment. `judged`: the requests that were served or ended in an error.

    `ttft`: how many first tokens came after how long, see `policy/ttft_buckets.py`. `durations`:
    how many of those that were judged took how long altogether.
    """

    requests: int = 0
    judged: int = 0
    errors: int = 0
    output_tokens: int = 0
    ttft: tuple[int, ...] = (0,) * BUCKETS
    durations: tuple[int, ...] = (0,) * BUCKETS


class LoadTally:
    """A sink of events. Lives as long as the node, longer than any actor."""

    def __init__(self) -> None:
        self._requests = self._judged = self._errors = self._output_tokens = 0
        self._ttft = [0] * BUCKETS
        self._durations = [0] * BUCKETS

    def take(self, event: Event) -> None:
        """Count what the event tells."""
        if isinstance(event, ExchangeEnded):
            self._requests += 1
            if event.outcome is Outcome.SERVED or event.outcome in ERRORS:
                self._judged += 1
                self._errors += event.outcome is not Outcome.SERVED
                self._durations[bucket_of(event.duration_s)] += 1
            if event.first_token_s is not None:
                self._ttft[bucket_of(event.first_token_s)] += 1
        elif isinstance(event, AttemptEnded) and event.usage is not None:
            self._output_tokens += event.usage.output_tokens

    def counts(self) -> LoadCounts:
        """The counts as of now."""
        return LoadCounts(
            requests=self._requests,
            judged=self._judged,
            errors=self._errors,
            output_tokens=self._output_tokens,
            ttft=tuple(self._ttft),
            durations=tuple(self._durations),
        )
