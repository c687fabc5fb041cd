"""What a counter was a while ago."""

from hypothesis import given
from hypothesis import strategies as st

from cortexd.policy.lookback import STEPS, Lookback


def test_before_the_window_is_full_it_is_the_first_value() -> None:
    """So that a difference counts from the start of the looking."""
    lookback = Lookback[int](60.0)
    assert [lookback.since(now, count) for now, count in ((0.0, 7), (1.0, 8), (59.0, 9))] == [7] * 3


@given(st.lists(st.floats(0.1, 200.0), min_size=1, max_size=200))
def test_it_looks_back_a_window_and_keeps_little(gaps: list[float]) -> None:
    """To the youngest of the values kept, a step apart, that is as old as the window."""
    lookback = Lookback[float](60.0)
    now, times = 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        then = lookback.since(now, now)
        assert then == times[0] or (then in times and now - then >= 60.0)
        later = [time for time in times if time - then >= 60.0 / STEPS]
        assert not later or now - later[0] < 60.0
        assert len(lookback._past) <= STEPS + 2
