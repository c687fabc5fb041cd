"""Messages on the wire: what is signed cannot be changed, and what is read has bounds."""

from typing import Final

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.fleet import (
    Command,
    FleetWorker,
    MessageId,
    Registration,
    Status,
    Verb,
    WorkerReport,
)
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerType
from cortexd.fleet.envelope import (
    BODY_BYTES_MAX,
    CLOCKS_APART_S_MAX,
    EVERYBODY,
    LIFE_S_MAX,
    MessageRejected,
    Sealed,
    Terms,
    seal,
    terms,
    unseal,
)
from tests.fleet.line import registration, report, status

KEY: Final = Secret("k" * 32)
NOW: Final = 1_700_000_000.0
ID: Final = MessageId("id")


def _sealed(audience: str = "a", *, sent_at: float = NOW, life_s: float = 10.0) -> Sealed:
    message = Command(verb=Verb.DRAIN, worker="w")
    return seal(message, ID, terms(audience, sent_at=sent_at, life_s=life_s), KEY)


def _open(sealed: Sealed, *, audience: str = "a", now: float = NOW) -> object:
    return unseal(sealed, audience=audience, now=now, key=KEY)


@pytest.mark.parametrize("message", [status(), registration(), Command(verb=Verb.ROLL_CALL)])
def test_what_is_sealed_can_be_opened(message: Command) -> None:
    """By those it is for, with all that was in it."""
    for audience in ("a", EVERYBODY):
        sealed = seal(message, ID, terms(audience, sent_at=NOW, life_s=10.0), KEY)
        received = unseal(sealed, audience="a", now=NOW, key=KEY)
        assert (received.id, received.message, received.deadline) == (ID, message, NOW + 10.0)


def test_a_message_is_for_one_alone() -> None:
    """Another may see it, and not heed it."""
    with pytest.raises(MessageRejected, match="somebody else"):
        _open(_sealed(), audience="b")


def test_another_key_makes_another_signature() -> None:
    """Whoever has not ours cannot speak to us."""
    with pytest.raises(MessageRejected, match="signature"):
        unseal(_sealed(), audience="a", now=NOW, key=Secret("l" * 32))


@given(field=st.sampled_from(["id", "body", "audience", "sent", "deadline"]), data=st.data())
def test_nothing_that_is_signed_can_be_changed(field: str, data: st.DataObject) -> None:
    """Whatever it is, and however little."""
    sealed = _sealed()
    if field == "id":
        changed = attrs.evolve(sealed, id=MessageId(data.draw(st.text(min_size=1, max_size=64))))
    elif field == "body":
        place = data.draw(st.integers(0, len(sealed.body) - 1))
        flipped = bytes([sealed.body[place] ^ data.draw(st.integers(1, 255))])
        changed = attrs.evolve(
            sealed, body=sealed.body[:place] + flipped + sealed.body[place + 1 :]
        )
    else:
        value = data.draw(st.text() if field == "audience" else st.integers(0, 2**53))
        changed = attrs.evolve(sealed, headers={**sealed.headers, field: value})
    if changed == sealed:
        return
    with pytest.raises(MessageRejected, match="signature"):
        _open(changed)


def test_parts_cannot_be_shifted_into_each_other() -> None:
    """The end of the id is not the beginning of the audience."""
    when = Terms("bc", 1, 2)
    other = attrs.evolve(seal(status(), MessageId("a"), when, KEY), id=MessageId("ab"))
    headers = {**other.headers, "audience": "c"}
    with pytest.raises(MessageRejected, match="signature"):
        _open(attrs.evolve(other, headers=headers), audience="c", now=0.0)


@pytest.mark.parametrize(
    ("sent_at", "life_s"),
    [(NOW + CLOCKS_APART_S_MAX + 1, 1.0), (NOW, LIFE_S_MAX + 1)],
    ids=["sent later", "good for too long"],
)
def test_what_is_of_the_future_is_refused(sent_at: float, life_s: float) -> None:
    """A clock is wrong, or a message was made to be kept."""
    with pytest.raises(MessageRejected, match="future"):
        _open(_sealed(sent_at=sent_at, life_s=life_s))


def test_what_is_overdue_is_for_its_reader_to_judge() -> None:
    """It is a message all the same, and says until when it was good."""
    received = unseal(_sealed(), audience="a", now=NOW + 60.0, key=KEY)
    assert received.deadline == NOW + 10.0


@given(st.binary(max_size=200))
def test_no_body_makes_it_fail_otherwise(body: bytes) -> None:
    """Signed garbage is garbage."""
    sealed = seal(msgspec.Raw(b"1"), ID, terms("a", sent_at=NOW, life_s=1.0), KEY)  # type: ignore[arg-type]  # no message of ours
    try:
        _open(attrs.evolve(sealed, body=body))
    except MessageRejected:
        return
    raise AssertionError("taken")


_LONGEST: Final = "n" * 32


def test_an_agent_with_all_workers_is_not_too_long() -> None:
    """For the limit of a body, with 64 models each."""
    worker = FleetWorker(
        name=_LONGEST,
        type=WorkerType.ANTHROPIC,
        base_url="http://" + "h" * 100,
        models=("m" * 30,) * 64,
    )
    message = Registration(agent=_LONGEST, version="1", workers=(worker,) * 64, report=report())
    sealed = seal(message, ID, terms(EVERYBODY, sent_at=NOW, life_s=1.0), KEY)
    assert len(sealed.body) < BODY_BYTES_MAX
    assert unseal(sealed, audience="x", now=NOW, key=KEY).message == message


def test_an_agent_may_be_of_use_for_years() -> None:
    """Its counter is the sum of those of its workers, and none of them ends before."""
    periods = 20 * 365 * 86_400
    workers = tuple(WorkerReport(name=f"w{n}", active=True, activity=periods) for n in range(64))
    message = Status(agent="a", report=report(activity=64 * periods, workers=workers))
    sealed = seal(message, ID, terms(EVERYBODY, sent_at=NOW, life_s=1.0), KEY)
    assert unseal(sealed, audience="x", now=NOW, key=KEY).message == message


@pytest.mark.parametrize("at", [-1.0, 1e300])
def test_a_clock_that_is_none_is_refused(at: float) -> None:
    """No number from outside is without a bound."""
    message = Status(agent="a", report=report(at=at))
    sealed = seal(message, ID, terms(EVERYBODY, sent_at=NOW, life_s=1.0), KEY)
    with pytest.raises(MessageRejected, match="schema"):
        unseal(sealed, audience="x", now=NOW, key=KEY)
