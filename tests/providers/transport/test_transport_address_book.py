"""What is remembered of a name, and for how long."""

import pytest

from cortexd.providers.transport.address_book import (
    FRESH_S_MAX,
    LAST_GOOD_S_MAX,
    REBOUND,
    RETRY_S,
    KnownName,
)
from tests.fakes.name_server import BROKEN, UNKNOWN

PUBLIC = ("8.8.8.8", "2001:4860:4860::8888")
OTHER_PUBLIC = ("9.9.9.9",)
INTERNAL = ("10.0.0.5",)


def test_a_new_name_has_to_be_looked_up() -> None:
    """It has no addresses until then."""
    name = KnownName()

    assert (name.is_due(0.0), name.is_usable(0.0), name.has("8.8.8.8")) == (True, False, False)


def test_an_answer_is_fresh_for_a_while_and_good_for_longer() -> None:
    """Then it has to be asked for again; its addresses stay usable."""
    name = KnownName()
    name.note_answer(PUBLIC, now=1000.0)

    assert not name.is_due(1000.0 + FRESH_S_MAX - 0.1)
    assert name.is_due(1000.0 + FRESH_S_MAX)
    assert name.addresses(1000.0 + LAST_GOOD_S_MAX - 0.1) == PUBLIC
    with pytest.raises(OSError, match="has not been looked up"):
        name.addresses(1000.0 + LAST_GOOD_S_MAX)


def test_failures_do_not_make_an_answer_last_longer() -> None:
    """The last good answer counts; after that, the last failure is raised, for each caller anew."""
    name = KnownName()
    name.note_answer(PUBLIC, now=0.0)
    name.note_failure(BROKEN, now=100.0)
    assert name.addresses(100.0) == PUBLIC
    assert not name.is_due(100.0 + RETRY_S - 0.1)
    assert name.is_due(100.0 + RETRY_S)

    name.note_failure(UNKNOWN, now=LAST_GOOD_S_MAX)
    raised = []
    for _ in range(2):
        with pytest.raises(type(UNKNOWN)) as caught:
            name.addresses(LAST_GOOD_S_MAX)
        raised.append(caught.value)
    assert [error.args for error in raised] == [UNKNOWN.args] * 2
    assert len({id(UNKNOWN), *map(id, raised)}) == 3


def test_a_new_answer_takes_the_place_of_the_last() -> None:
    """With it, the name has lost the addresses that are not in it, and failures are forgotten."""
    name = KnownName()
    name.note_answer(PUBLIC, now=0.0)
    name.note_failure(BROKEN, now=10.0)
    name.note_answer(OTHER_PUBLIC, now=20.0)

    assert name.addresses(LAST_GOOD_S_MAX + 10.0) == OTHER_PUBLIC
    assert (name.has("8.8.8.8"), name.has("9.9.9.9")) == (False, True)
    assert not name.is_due(20.0 + FRESH_S_MAX - 0.1)


@pytest.mark.parametrize("turned", [INTERNAL, ("127.0.0.1",), ("::1",), (*OTHER_PUBLIC, *INTERNAL)])
def test_a_public_name_does_not_become_internal(turned: tuple[str, ...]) -> None:
    """One internal address is enough to refuse the whole answer; until then it is as a failure."""
    name = KnownName()
    name.note_answer(PUBLIC, now=0.0)
    name.note_answer(OTHER_PUBLIC, now=30.0)
    name.note_answer(turned, now=60.0)

    assert name.addresses(60.0) == OTHER_PUBLIC
    assert not any(name.has(address) for address in INTERNAL)
    with pytest.raises(OSError, match=REBOUND):
        name.addresses(30.0 + LAST_GOOD_S_MAX)


def test_a_public_name_is_one_however_long_ago() -> None:
    """Neither time nor failures make it forget; a public answer is taken at any time."""
    name = KnownName()
    name.note_answer(PUBLIC, now=0.0)
    name.note_failure(UNKNOWN, now=5000.0)
    name.note_answer(INTERNAL, now=9000.0)
    assert not name.is_usable(9000.0)

    name.note_answer(OTHER_PUBLIC, now=9005.0)
    assert name.addresses(9005.0) == OTHER_PUBLIC


@pytest.mark.parametrize("first", [INTERNAL, ("127.0.0.1", "::1"), (*INTERNAL, *PUBLIC)])
def test_an_internal_name_may_mean_what_it_likes(first: tuple[str, ...]) -> None:
    """The operator has meant a machine of this network from the start, if only as one of many."""
    name = KnownName()
    for now, answer in enumerate((first, PUBLIC, ("192.168.1.1",), ("127.0.0.1",))):
        name.note_answer(answer, now=float(now))
        assert name.addresses(float(now)) == answer
