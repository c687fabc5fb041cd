"""How many retries a worker is sent."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.policy.retry_budget import RetryBudget, RetrySettings

NO_FLOOR = RetrySettings(budget_floor_per_second=0)


def _granted(budget: RetryBudget, now: float, tries: int) -> int:
    return sum(budget.withdraw(now) for _ in range(tries))


@pytest.mark.parametrize(
    ("settings", "requests", "retries"),
    [
        (RetrySettings(), 0, 10),
        (RetrySettings(), 1, 10),
        (RetrySettings(), 5, 11),
        (RetrySettings(), 100, 30),
        (NO_FLOOR, 4, 0),
        (NO_FLOOR, 5, 1),
        (NO_FLOOR, 100, 20),
        (RetrySettings(budget_ratio=0, budget_floor_per_second=0.5), 1000, 5),
        (RetrySettings(budget_ratio=0, budget_floor_per_second=0), 1000, 0),
    ],
)
def test_a_fifth_of_the_requests_and_one_a_second(
    settings: RetrySettings, requests: int, retries: int
) -> None:
    """The ratio of what was sent, plus ten seconds' worth of the floor."""
    budget = RetryBudget(settings)
    for _ in range(requests):
        budget.deposit(100.0)

    assert _granted(budget, 100.0, 2000) == retries


def test_what_is_ten_seconds_old_is_forgotten() -> None:
    """Requests no longer give, and retries no longer take."""
    budget = RetryBudget(NO_FLOOR)
    for _ in range(100):
        budget.deposit(0.5)
    assert _granted(budget, 3.0, 100) == 20
    assert _granted(budget, 9.9, 100) == 0

    for _ in range(50):
        budget.deposit(9.9)
    # The hundred are forgotten, their twenty retries not yet.
    assert _granted(budget, 10.0, 100) == 0
    assert _granted(budget, 12.9, 100) == 0
    assert _granted(budget, 13.0, 100) == 10
    assert _granted(budget, 1e9, 100) == 0


@given(
    settings=st.builds(
        RetrySettings,
        budget_ratio=st.sampled_from([0.0, 0.1, 0.2, 1.0]),
        budget_floor_per_second=st.sampled_from([0.0, 0.1, 1.0]),
    ),
    steps=st.lists(
        st.tuples(st.floats(0.0, 4.0), st.integers(0, 12), st.integers(0, 12)), max_size=20
    ),
)
def test_it_grants_what_a_naive_count_would(
    settings: RetrySettings, steps: list[tuple[float, int, int]]
) -> None:
    """In each window of ten whole seconds: every retry that is in the budget, and none beyond."""
    budget = RetryBudget(settings)
    now = 1000.0
    requests: list[int] = []
    retries: list[int] = []
    for pause_s, sent, tried in steps:
        now += pause_s
        for _ in range(sent):
            budget.deposit(now)
            requests.append(int(now))
        window = range(int(now) - 9, int(now) + 1)
        for _ in range(tried):
            recent = sum(second in window for second in retries)
            of_all = sum(second in window for second in requests)
            limit = settings.budget_ratio * of_all + settings.budget_floor_per_second * 10
            granted = budget.withdraw(now)
            assert granted is (recent + 1 <= limit)
            if granted:
                retries.append(int(now))


def test_the_load_of_a_worker_that_always_fails() -> None:
    """A hundred requests a second, each of which would like three retries: a fifth is granted."""
    budget = RetryBudget(NO_FLOOR)
    granted = 0
    for now in _clock(seconds=60, per_second=100):
        budget.deposit(now)
        granted += _granted(budget, now, 3)

    assert granted == pytest.approx(0.2 * 6000, rel=0.01)
    assert granted <= 0.2 * 6000


def _clock(*, seconds: int, per_second: int) -> Iterator[float]:
    return (tick / per_second for tick in range(seconds * per_second))


@pytest.mark.parametrize(
    "wrong", [{"max_attempts": 0}, {"budget_ratio": -0.1}, {"budget_floor_per_second": -1}]
)
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    """Without an attempt there is no answer, and less than nothing cannot be granted."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetrySettings(**wrong)  # type: ignore[arg-type]  # a table of several
