"""The sliding window of calls."""

import math

import attrs
from hypothesis import given
from hypothesis import strategies as st

from cortexd.policy.breaker_window import CallWindow


@attrs.frozen
class _Call:
    wait_s: float
    failed: bool
    slow: bool


_CALLS = st.lists(
    st.builds(
        _Call,
        wait_s=st.one_of(st.floats(0, 1.5), st.floats(0, 40), st.just(1e6)),
        failed=st.booleans(),
        slow=st.booleans(),
    ),
    max_size=60,
)


@given(calls=_CALLS, seconds=st.integers(1, 31), later_s=st.floats(0, 40))
def test_the_totals_are_those_of_a_naive_recount(
    calls: list[_Call], seconds: int, later_s: float
) -> None:
    """After any calls and any silence: the running second, and those before it in the window."""
    window = CallWindow(seconds)
    now = 0.0
    seen: list[tuple[float, _Call]] = []
    for call in calls:
        now += call.wait_s
        window.add(now, failed=call.failed, slow=call.slow)
        seen.append((now, call))
    now += later_s
    window.forget(now)

    young = [call for at, call in seen if math.floor(at) > math.floor(now) - seconds]
    assert (window.calls, window.failures, window.slow) == (
        len(young),
        sum(call.failed for call in young),
        sum(call.slow for call in young),
    )


def test_a_cleared_window_is_empty_and_counts_on() -> None:
    """What was counted before does not come off the totals later."""
    window = CallWindow(3)
    window.add(10.0, failed=True, slow=True)
    window.clear()
    window.add(11.0)
    window.forget(13.5)

    assert (window.calls, window.failures, window.slow) == (1, 0, 0)
    window.forget(14.0)
    assert window.calls == 0
