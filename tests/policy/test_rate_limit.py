"""What a client may spend in a minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.client_key import ClientKey, ClientKeyId, KeyDigest
from cortexd.domain.criticality import Criticality
from cortexd.policy.rate_limit import Bucket, LimitSettings, allowance, allowance_of


def test_a_minute_can_be_spent_at_once_and_comes_back_drop_by_drop() -> None:
    """Ten at once, then one each six seconds."""
    bucket = Bucket(10)
    assert [bucket.take(1, 100.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(1, 100.0) == pytest.approx(6.0)
    assert bucket.take(1, 103.0) == pytest.approx(3.0)
    assert bucket.take(1, 106.0) == 0.0
    assert bucket.full_in_s(106.0) == pytest.approx(60.0)


def test_more_than_a_minute_holds_waits_for_a_full_bucket() -> None:
    """It is not refused for ever, and what it has taken has to come back first."""
    bucket = Bucket(60)
    assert bucket.take(10, 0.0) == 0.0
    assert bucket.take(100, 0.0) == pytest.approx(10.0)
    assert bucket.take(100, 10.0) == 0.0
    assert bucket.level(10.0) == pytest.approx(-40.0)
    assert bucket.take(1, 10.0) == pytest.approx(41.0)


def test_what_was_reserved_is_settled() -> None:
    """More than was reserved is a debt, less comes back; it never overflows."""
    bucket = Bucket(100)
    bucket.take(50, 0.0)
    bucket.settle(80, 0.0)
    assert bucket.level(0.0) == -30.0
    bucket.settle(-500, 0.0)
    assert bucket.level(0.0) == 100.0


@given(
    per_minute=st.integers(1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 50)), max_size=60),
)
def test_nobody_spends_more_than_a_full_bucket_and_what_flows_in(
    per_minute: int, steps: list[tuple[float, int]]
) -> None:
    """Over any stretch of time, however the requests fall, and waiting as told is enough."""
    bucket, now, spent = Bucket(per_minute), 0.0, 0
    for pause_s, amount in steps:
        now += pause_s
        wanted = min(amount, per_minute)
        wait_s = bucket.take(wanted, now)
        if wait_s:
            now += wait_s
            assert bucket.take(wanted, now) == 0.0
        spent += wanted
        assert spent <= per_minute * (1 + now / 60) + 1e-3


@pytest.mark.parametrize(
    ("criticality", "own", "limits"),
    [
        (Criticality.NORMAL, (None, None), (10, 1000)),
        (Criticality.PREMIUM, (None, None), (100, None)),
        (Criticality.NORMAL, (5, None), (5, 1000)),
        (Criticality.PREMIUM, (None, 7), (100, 7)),
    ],
)
def test_a_key_has_its_own_limits_or_those_of_its_class(
    criticality: Criticality,
    own: tuple[int | None, int | None],
    limits: tuple[int | None, int | None],
) -> None:
    """Each limit by itself."""
    settings = LimitSettings(
        premium_requests_per_minute=100,
        normal_requests_per_minute=10,
        normal_tokens_per_minute=1000,
    )
    key = ClientKey(
        id=ClientKeyId("a"),
        digest=KeyDigest("0"),
        criticality=criticality,
        requests_per_minute=own[0],
        tokens_per_minute=own[1],
    )
    assert allowance_of(key, settings).limits == limits


def test_no_limit_is_no_bucket() -> None:
    """There is nothing to count where nothing is limited."""
    free = allowance(None, None)
    assert (free.requests, free.tokens) == (None, None)


def test_a_node_apart_has_its_part_of_the_limit() -> None:
    """As much as it has itself left, at its pace; at least one."""
    bucket = Bucket(60)
    bucket.picture(50.0, 0.0)
    bucket.part(3, 0.0)
    assert bucket.level(0.0) == 20.0
    assert bucket.take(20, 0.0) == 0.0
    assert bucket.take(1, 0.0) == pytest.approx(3.0)
    small = Bucket(2)
    small.part(10, 0.0)
    assert small.take(1, 0.0) == 0.0
    assert small.take(1, 0.0) == pytest.approx(60.0)


def test_what_is_spent_apart_is_owed_unless_it_has_come_back_since() -> None:
    """To be told once; what was gone before is no new debt."""
    bucket = Bucket(60)
    assert bucket.owed(0.0) == 0.0
    bucket.picture(5.0, 0.0)
    bucket.part(3, 0.0)
    assert bucket.take(4, 0.0) == 0.0
    bucket.part(3, 0.0)
    assert bucket.owed(0.0) == pytest.approx(4.0)
    assert bucket.owed(0.0) == 0.0

    bucket.part(3, 0.0)
    bucket.take(1, 0.0)
    assert bucket.owed(120.0) == pytest.approx(0.0), "the others have forgotten it, too"


def test_what_could_not_be_told_is_told_later() -> None:
    """Also after a time apart, unless that was long; with what was spent in that time."""
    bucket = Bucket(60)
    bucket.owed(0.0)
    bucket.settle(30, 0.0)
    assert bucket.level(0.0) == 30.0
    owed = bucket.owed(0.0)
    bucket.owe(owed)
    assert bucket.owed(0.0) == 30.0
    bucket.owe(30.0)
    bucket.part(2, 0.0)
    bucket.take(5, 0.0)
    assert bucket.owed(0.0) == pytest.approx(35.0)
    bucket.owe(35.0)
    bucket.part(2, 0.0)
    assert bucket.owed(600.0) == 0.0
