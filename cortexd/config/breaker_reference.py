"""Writes docs/reference/circuit-breaker.md from the breaker's table and numbers.

`python -m cortexd.config.breaker_reference` prints the page. A test holds the checked-in one
against it.
"""

import sys
from collections.abc import Iterator

from cortexd.policy.breaker_record import HISTORY_MAX
from cortexd.policy.breaker_rests import JITTER
from cortexd.policy.breaker_states import TRANSITIONS
from cortexd.policy.circuit_breaker import (
    FIRST_SHARE,
    GROWTH_S,
    SLOW_SHARE,
    TRIALS_TO_CLOSE,
    BreakerSettings,
)
from cortexd.policy.circuit_breaker_diagram import diagram

_HEAD = """\
# Circuit breaker

<!-- Written by `python -m cortexd.config.breaker_reference`; do not edit by hand. -->

Each worker has one. It sees how the calls to its worker end, and leaves a worker that keeps failing
alone for a while. Only what is the worker's own fault is a failure: a refused request, a rate
limit, a bad key or a client that left is none.

- **closed**: the worker is asked as ever.
- **open**: it is left alone. Only where all workers of a model are open, a few calls are forced
  through all the same.
- **half open**: a few calls, the trials, find out whether it is well again.

How a call ended counts only if the breaker has not changed its state since the call began.
"""


def page() -> str:
    """The whole reference, in Markdown."""
    return "\n".join([_HEAD, f"```mermaid\n{diagram()}```\n", *_transitions(), _numbers()])


def _transitions() -> Iterator[str]:
    yield "## Transitions\n"
    yield "| from | when | to |\n|---|---|---|"
    for (before, trigger), after in TRANSITIONS.items():
        yield f"| `{before.value}` | {trigger.value} | `{after.value}` |"
    yield ""


def _numbers() -> str:
    keys = BreakerSettings()
    return f"""\
## Numbers

Those with a name are keys of [`[breaker]`](configuration.md#breaker); these are their defaults.

- **Too many calls failed**: `failure_rate` ({keys.failure_rate:g}) or more of the calls that ended
  in the last `window_seconds` ({keys.window_seconds}), if those were at least `min_calls`
  ({keys.min_calls}).
- **Too many failures in a row**: `failures_in_a_row` ({keys.failures_in_a_row}), with no success
  in between.
- **Too many calls were slow**: {SLOW_SHARE:.0%} of the calls in the window, if those were at least
  `min_calls`, took `slow_call_seconds` or longer. Nothing is slow unless that key is set.
- **Its rest**: `open_seconds` ({keys.open_seconds:g}), doubled with each opening in series, up to
  `open_seconds_max` ({keys.open_seconds_max:g}); then ± {JITTER:.0%}, so that nodes do not come
  back in step. For each `open_seconds` that the breaker was closed without a break, the next rest
  is doubled once less.
- **A health check**: a good one ends a rest early. It does not close the breaker.
- **Trials**: one at a time until one has succeeded, then up to {TRIALS_TO_CLOSE} at a time. After
  {TRIALS_TO_CLOSE} successes in a row the breaker closes, after one failure it opens. A trial whose
  client leaves counts neither way; one that is slow is a success.
- **After closing** a worker gets {FIRST_SHARE:.0%} of its usual share, growing to all of it in
  {GROWTH_S:g} s.
- **An operator** can close the breaker at any time; all counts begin anew.

`enabled = false` keeps it closed, and it goes on counting. Operators see the last {HISTORY_MAX}
changes.
"""


if __name__ == "__main__":
    sys.stdout.write(page())
