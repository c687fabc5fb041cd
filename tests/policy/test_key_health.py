"""Which of a worker's API keys can be used, and which one is next."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.ids import KeyIndex
from cortexd.policy.key_health import KeyChange, KeyRecord, KeyRing, KeyState

A, B, C = KeyIndex(0), KeyIndex(1), KeyIndex(2)
HOUR_S, DAY_S = 3600.0, 86400.0


def _change(key: KeyIndex, state: str, rest_s: float | None) -> KeyChange:
    return KeyChange(key=key, state=KeyState(state), rest_s=rest_s)


def _state(ring: KeyRing, key: KeyIndex, now: float) -> tuple[str, float | None]:
    record = ring.records(now)[key]
    return record.state.value, record.until


def _picks(ring: KeyRing, now: float, count: int) -> list[KeyIndex | None]:
    return [ring.pick(now) for _ in range(count)]


def test_good_keys_take_turns() -> None:
    """The least recently picked is next, at one and the same time as well."""
    assert _picks(KeyRing(3), 0.0, 7) == [A, B, C, A, B, C, A]
    assert _picks(KeyRing(1), 0.0, 2) == [A, A]


def test_the_least_recently_limited_goes_first() -> None:
    """Whatever its turn: who was limited long ago, or never, is the farthest from its limit."""
    ring = KeyRing(3)
    ring.limited(C, 1.0, 5.0)
    ring.limited(A, 2.0, 0.0)
    assert _picks(ring, 100.0, 3) == [B, B, B]
    ring.limited(B, 100.0, 50.0)
    assert _picks(ring, 101.0, 2) == [C, C]
    ring.limited(C, 101.0, 50.0)
    assert _picks(ring, 102.0, 2) == [A, A]


def test_an_excluded_key_keeps_its_turn() -> None:
    """What a request has tried already is for other requests."""
    ring = KeyRing(3)
    assert ring.pick(0.0, without={A}) == B
    assert ring.pick(0.0, without=[A, B]) == C
    assert ring.pick(0.0, without=(A, B, C)) is None
    assert ring.pick(0.0) == A


def test_a_gate_is_closed_until_its_time() -> None:
    """Nobody calls before it; then anybody may."""
    ring = KeyRing(1)
    assert ring.ready_at(7.0) == 7.0
    ring.limited(A, 10.0, 5.0)
    assert (ring.pick(14.999), ring.ready_at(14.999)) == (None, 15.0)
    assert _state(ring, A, 14.999) == ("limited", 15.0)
    assert (ring.pick(15.0), ring.ready_at(15.0)) == (A, 15.0)
    assert _state(ring, A, 15.0) == ("good", None)


@pytest.mark.parametrize(
    ("wait_s", "opens_at"), [(60.0, 160.0), (61.0, 160.0), (1e12, 160.0), (-5.0, 100.0)]
)
def test_no_gate_is_closed_for_more_than_a_minute(wait_s: float, opens_at: float) -> None:
    """A rate limit is not a quota."""
    ring = KeyRing(1)
    ring.limited(A, 100.0, wait_s)
    assert ring.ready_at(100.0) == opens_at


@pytest.mark.parametrize("waits_s", [(30.0, 5.0), (5.0, 30.0)])
def test_of_two_gates_the_later_one_wins(waits_s: tuple[float, float]) -> None:
    """Answers that overtake each other do not shorten a wait."""
    ring = KeyRing(1)
    for wait_s in waits_s:
        ring.limited(A, 0.0, wait_s)
    assert (ring.pick(29.0), ring.ready_at(29.0)) == (None, 30.0)


def test_the_first_gate_to_open_counts() -> None:
    """Among the keys that are only gated, and not excluded."""
    ring = KeyRing(3)
    for key, wait_s in ((A, 30.0), (B, 20.0), (C, 10.0)):
        ring.limited(key, 0.0, wait_s)
    assert ring.ready_at(0.0) == 10.0
    assert ring.ready_at(0.0, without=[C]) == 20.0
    ring.rejected(C, 0.0)
    assert ring.ready_at(0.0) == 20.0
    assert ring.ready_at(0.0, without=[A, B]) is None
    assert not ring.is_dead(0.0)


@pytest.mark.parametrize(
    ("switch_off", "rest_s"),
    [
        (lambda ring: ring.rejected(A, 0.0), 600.0),
        (lambda ring: ring.exhausted(A, 0.0, None), HOUR_S),
        (lambda ring: ring.exhausted(A, 0.0, 3 * DAY_S), 3 * DAY_S),
        (lambda ring: ring.exhausted(A, 0.0, 1.0), 1.0),
        (lambda ring: ring.exhausted(A, 0.0, 1e9), 31 * DAY_S),
    ],
)
def test_a_key_that_is_off_rests(
    switch_off: Callable[[KeyRing], KeyChange | None], rest_s: float
) -> None:
    """It is not picked, and if it is the only one, the worker has none; then it may try again."""
    ring = KeyRing(1)
    change = switch_off(ring)
    assert change is not None
    assert change == _change(A, change.state.value, rest_s)
    assert (ring.pick(rest_s - 0.5), ring.ready_at(rest_s - 0.5)) == (None, None)
    assert ring.is_dead(rest_s - 0.5)
    assert _state(ring, A, rest_s - 0.5) == (change.state.value, rest_s)
    assert not ring.is_dead(rest_s)
    assert ring.pick(rest_s) == A


def test_the_others_go_on() -> None:
    """One bad key out of three is not the death of the worker; nor are two."""
    ring = KeyRing(3)
    ring.rejected(A, 0.0)
    assert _picks(ring, 0.0, 3) == [B, C, B]
    ring.exhausted(B, 0.0, None)
    assert _picks(ring, 0.0, 2) == [C, C]
    ring.limited(C, 0.0, 5.0)
    assert (ring.pick(0.0), ring.ready_at(0.0), ring.is_dead(0.0)) == (None, 5.0, False)
    ring.rejected(C, 0.0)
    assert (ring.ready_at(0.0), ring.is_dead(0.0)) == (None, True)


def test_each_rejection_after_a_rest_doubles_the_next() -> None:
    """Ten minutes, twenty and so on, to a day and no longer."""
    ring, now = KeyRing(1), 0.0
    rests_s: list[float | None] = []
    for _ in range(11):
        change = ring.rejected(A, now)
        assert change is not None
        rests_s.append(change.rest_s)
        # Calls that were in flight say so, too.
        assert ring.rejected(A, now + 1.0) is None
        now += change.rest_s or 0.0
    assert rests_s == [600.0 * 2**k for k in range(8)] + [DAY_S] * 3


def test_a_key_that_works_is_good_at_once() -> None:
    """Its rejections are forgotten, also where it had been off only long ago; and it is told."""
    ring = KeyRing(1)
    assert ring.accepted(A, 0.0) is None
    ring.rejected(A, 0.0)
    ring.rejected(A, 600.0)
    assert ring.accepted(A, 601.0) == _change(A, "good", None)
    assert (ring.pick(601.0), ring.accepted(A, 602.0)) == (A, None)
    assert ring.rejected(A, 603.0) == _change(A, "rejected", 600.0)
    assert ring.accepted(A, 5000.0) == _change(A, "good", None)


def test_quota_comes_back_with_its_date_alone() -> None:
    """An answer that began before it ran out proves nothing; one after the rest does."""
    ring = KeyRing(1)
    ring.exhausted(A, 0.0, 100.0)
    assert ring.accepted(A, 99.0) is None
    assert ring.pick(99.0) is None
    assert ring.accepted(A, 100.0) == _change(A, "good", None)


def test_what_works_has_no_bad_key_even_if_its_quota_is_gone() -> None:
    """The rejections are forgotten, though the key still rests."""
    ring = KeyRing(1)
    ring.rejected(A, 0.0)
    ring.exhausted(A, 600.0, 10.0)
    ring.accepted(A, 601.0)
    assert ring.rejected(A, 700.0) == _change(A, "rejected", 600.0)


def test_a_gate_outlives_an_answer() -> None:
    """Who was let in once may still have to wait for the next time."""
    ring = KeyRing(1)
    ring.limited(A, 0.0, 10.0)
    assert ring.accepted(A, 1.0) is None
    assert ring.ready_at(1.0) == 10.0


@pytest.mark.parametrize(
    ("waits_s", "until"),
    [
        ([100.0, 50.0], 100.0),
        ([50.0, 100.0], 100.0),
        ([50.0, None], 50.0),
        ([None, 5000.0], 5000.0),
        ([None, None], HOUR_S),
    ],
)
def test_the_later_of_two_dates_wins(waits_s: list[float | None], until: float) -> None:
    """It is one change, told once; a guess never wins over a date."""
    ring = KeyRing(1)
    changes = [ring.exhausted(A, 0.0, wait_s) for wait_s in waits_s]
    assert [change is not None for change in changes] == [True, False]
    assert _state(ring, A, 0.0) == ("exhausted", until)


def test_a_bad_key_stays_so_whatever_is_said_of_its_quota() -> None:
    """And the other way round: the first verdict stands until its rest is over."""
    ring = KeyRing(2)
    ring.rejected(A, 0.0)
    assert ring.exhausted(A, 1.0, DAY_S) is None
    assert _state(ring, A, 1.0) == ("rejected", 600.0)
    ring.exhausted(B, 0.0, 50.0)
    assert ring.rejected(B, 1.0) is None
    assert _state(ring, B, 1.0) == ("exhausted", 50.0)


def test_operators_see_states_and_counts() -> None:
    """Everything that was reported is counted, whether it changed something or not."""
    ring = KeyRing(2)
    _picks(ring, 0.0, 3)
    ring.limited(A, 0.0, 5.0)
    ring.limited(A, 0.0, 1.0)
    ring.exhausted(A, 0.0, None)
    ring.rejected(A, 0.0)
    assert ring.records(0.0) == (
        KeyRecord(
            key=A,
            state=KeyState.EXHAUSTED,
            until=HOUR_S,
            picks=2,
            limits=2,
            exhaustions=1,
            rejections=1,
        ),
        KeyRecord(
            key=B, state=KeyState.GOOD, until=None, picks=1, limits=0, exhaustions=0, rejections=0
        ),
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["limited", "exhausted", "rejected", "accepted"]),
        st.integers(0, 2).map(KeyIndex),
        st.floats(0.0, 20.0) | st.floats(0.0, 1000.0),
        st.floats(0.0, 100.0) | st.floats(0.0, 5000.0),
    ),
    max_size=15,
)


@given(STEPS)
def test_no_key_is_used_before_its_time(steps: list[tuple[str, KeyIndex, float, float]]) -> None:
    """Of two gates the later one wins; a picked key is neither off nor gated; nobody is forgotten.

    The model keeps every gate that was ever set and never drops one.
    """
    ring, now = KeyRing(3), 0.0
    gates: dict[KeyIndex, list[float]] = {A: [], B: [], C: []}
    for what, key, pause_s, wait_s in steps:
        now += pause_s
        if what == "limited":
            ring.limited(key, now, wait_s)
            gates[key].append(now + min(wait_s, 60.0))
        elif what == "exhausted":
            ring.exhausted(key, now, wait_s)
        elif what == "rejected":
            ring.rejected(key, now)
        else:
            ring.accepted(key, now)
        off = {
            record.key
            for record in ring.records(now)
            if record.state in {KeyState.EXHAUSTED, KeyState.REJECTED}
        }
        opens_at = {one: max([now, *gates[one]]) for one in gates if one not in off}
        assert ring.is_dead(now) == (not opens_at)
        assert ring.ready_at(now) == min(opens_at.values(), default=None)
        picked = ring.pick(now)
        assert (picked is None) == (now not in opens_at.values())
        assert picked is None or opens_at[picked] == now
