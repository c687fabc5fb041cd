"""What presses the node, in words and as a reason not to be ready."""

import pytest

from cortexd.policy.pressure import LAG_S_MAX, Pressure


@pytest.mark.parametrize(
    ("pressure", "share", "words"),
    [
        (Pressure(memory=0.5), 0.5, "of the memory it may have"),
        (Pressure(memory=0.5, descriptors=0.6), 0.6, "of the files it may open"),
        (Pressure(loop_lag=2.0, memory=0.9), 2.0, "of the delay that its event loop may have"),
        (Pressure(in_flight=0.4), 0.4, "of the requests it may have in flight"),
    ],
)
def test_what_runs_out_first_counts(pressure: Pressure, share: float, words: str) -> None:
    """It is named."""
    assert pressure.share == share
    assert pressure.words == f"the node uses {share:.0%} {words}"


def test_a_loop_that_stood_still_is_a_reason_by_itself() -> None:
    """However little of everything is used up."""
    assert Pressure(worst_lag_s=LAG_S_MAX - 0.1).stops_serving(0.95) is None
    assert Pressure(worst_lag_s=4.04).stops_serving(0.95) == "the event loop was 4.0 s late"


def test_too_much_of_anything_is_a_reason() -> None:
    """From the limit on."""
    assert Pressure(descriptors=0.94).stops_serving(0.95) is None
    told = Pressure(descriptors=0.95).stops_serving(0.95)
    assert told == "the node uses 95% of the files it may open"
