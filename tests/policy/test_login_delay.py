"""How those are slowed down who try what opens nothing."""

from hypothesis import given
from hypothesis import strategies as st

from cortexd.policy.login_delay import (
    ADDRESS_FAILURES_MAX,
    ALL_FAILURES_MAX,
    DELAY_S_FIRST,
    DELAY_S_MAX,
    HELD_S,
    KEY_FAILURES_MAX,
    REMEMBERED_MAX,
    LoginDelays,
)

HERE = "192.0.2.1"


def _delays(delays: LoginDelays, count: int, address: str = HERE) -> list[float | None]:
    return [delays.fail(address, None, 100.0).retry_after_s for _ in range(count)]


def test_ten_a_minute_pass_then_the_delay_doubles() -> None:
    """1 s, 2 s, 4 s, … up to five minutes."""
    told = _delays(LoginDelays(), ADDRESS_FAILURES_MAX + 12)
    assert told[:ADDRESS_FAILURES_MAX] == [None] * ADDRESS_FAILURES_MAX
    assert told[ADDRESS_FAILURES_MAX:][:4] == [1.0, 2.0, 4.0, 8.0]
    assert told[-1] == DELAY_S_MAX


def test_another_address_is_not_concerned() -> None:
    """What one has done is not laid at another's door."""
    delays = LoginDelays()
    _delays(delays, 50)
    assert delays.fail("192.0.2.2", None, 100.0).retry_after_s is None


def test_addresses_of_one_ipv6_network_are_one() -> None:
    """A client has 2**64 of them."""
    delays = LoginDelays()
    for number in range(ADDRESS_FAILURES_MAX):
        delays.fail(f"2001:db8::{number:x}", None, 0.0)
    assert delays.fail("2001:db8::ffff", None, 0.0).retry_after_s == DELAY_S_FIRST
    assert delays.fail("2001:db8:0:1::1", None, 0.0).retry_after_s is None
    assert delays.fail("no:address", None, 0.0).retry_after_s is None


def test_twenty_a_minute_for_one_key_from_wherever() -> None:
    """Many addresses do not help who guesses at one key."""
    delays = LoginDelays()
    told = [
        delays.fail(f"192.0.2.{number}", "chat0000", 0.0).retry_after_s
        for number in range(KEY_FAILURES_MAX + 1)
    ]
    assert told == [None] * KEY_FAILURES_MAX + [DELAY_S_FIRST]


def test_when_too_many_fail_on_the_whole_node_failures_are_held_up() -> None:
    """A hundred a minute; the next minute begins anew."""
    delays = LoginDelays()
    held = [delays.fail(f"10.0.{n // 250}.{n % 250}", None, 5.0).held_s for n in range(101)]
    assert held == [0.0] * ALL_FAILURES_MAX + [HELD_S]
    assert delays.fail("10.9.9.9", None, 66.0).held_s == 0.0


def test_it_is_forgotten_in_time() -> None:
    """Slow failures never add up; and who has stopped is free again after the delay."""
    delays = LoginDelays()
    assert all(
        delays.fail(HERE, None, minute * 30.0).retry_after_s is None for minute in range(100)
    )
    _delays(delays := LoginDelays(), ADDRESS_FAILURES_MAX + 9)
    assert delays.fail(HERE, None, 100.0 + 255.0).retry_after_s == DELAY_S_MAX
    assert delays.fail(HERE, None, 100.0 + 255.0 + DELAY_S_MAX).retry_after_s is None


@given(st.integers(0, 2**31))
def test_what_is_remembered_is_bounded(seed: int) -> None:
    """However many addresses and ids somebody comes up with."""
    delays = LoginDelays()
    delays._addresses.update({str(n): None for n in range(REMEMBERED_MAX)})  # type: ignore[misc]
    delays._keys.update({str(n): None for n in range(REMEMBERED_MAX)})  # type: ignore[misc]
    for number in range(20):
        delays.fail(f"a{seed}-{number}", f"k{number}", float(number))
    assert delays.remembered <= 2 * REMEMBERED_MAX
