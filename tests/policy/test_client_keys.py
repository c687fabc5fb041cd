"""Which text is a key, and which key opens a door."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.client_key import (
    ID_ALPHABET,
    SECRET_BYTES,
    ClientKey,
    ClientKeyId,
    Instant,
    KeyScope,
    KeyState,
    digest_of,
    is_key_id,
    read_key,
    write_key,
)
from cortexd.domain.secret import Secret
from cortexd.policy.client_keys import (
    HeldKey,
    KeyTable,
    Rejected,
    Rejection,
    find_key,
    key_table,
)
from cortexd.policy.rate_limit import LimitSettings

PEPPER = Secret("pepper")
NOW = 1_000.0
TEXT = write_key(ClientKeyId("aaaaaaaa"), b"\x01" * SECRET_BYTES)

ids = st.text(alphabet=ID_ALPHABET, min_size=8, max_size=8).map(ClientKeyId)
random_bytes = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


def _kept(text: str, **more: object) -> ClientKey:
    parts = read_key(text)
    assert parts is not None
    return ClientKey(id=parts.id, digest=digest_of(parts.secret, PEPPER), **more)  # type: ignore[arg-type]


def _table(
    *keys: ClientKey, is_complete: bool = True, limits: LimitSettings | None = None
) -> KeyTable:
    return key_table(
        keys, limits or LimitSettings(), KeyTable(), last_used_at={}, is_complete=is_complete
    )


def _find(text: str, *keys: ClientKey) -> HeldKey | Rejected:
    return find_key(_table(*keys), text, pepper=PEPPER, now=NOW)


@given(ids, random_bytes)
def test_a_key_can_be_read_again(key_id: ClientKeyId, secret: bytes) -> None:
    """Its form is fixed, whatever is in it: base64url has underscores of its own."""
    text = write_key(key_id, secret)
    parts = read_key(text)
    assert parts is not None
    assert (parts.id, len(parts.secret.reveal()), len(text)) == (key_id, 43, 69)
    assert is_key_id(key_id)
    assert text not in repr(parts)


@given(ids, random_bytes, st.integers(0, 68), st.characters())
def test_a_slip_is_found_without_asking_the_table(
    key_id: ClientKeyId, secret: bytes, place: int, slip: str
) -> None:
    """Any one character that is wrong."""
    text = write_key(key_id, secret)
    wrong = text[:place] + slip + text[place + 1 :]
    assert wrong == text or read_key(wrong) is None


@given(st.text())
def test_nothing_else_is_a_key(text: str) -> None:
    """Whatever is sent, nothing is raised."""
    assert read_key(text) is None
    assert _find(text, _kept(TEXT)) == Rejected(Rejection.MALFORMED)


@given(random_bytes, random_bytes, st.integers(0, SECRET_BYTES - 1))
def test_keys_that_begin_alike_are_not_alike(one: bytes, other: bytes, common: int) -> None:
    """Of the same id and with a common beginning of any length: all of it counts."""
    other = one[:common] + other[common:]
    right, wrong = (write_key(ClientKeyId("aaaaaaaa"), secret) for secret in (one, other))
    found = _find(wrong, _kept(right))
    if one == other:
        assert isinstance(found, HeldKey)
    else:
        assert found == Rejected(Rejection.WRONG_SECRET, ClientKeyId("aaaaaaaa"))


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (_kept(TEXT), None),
        (_kept(TEXT, expires_at=Instant(NOW + 1)), None),
        (_kept(TEXT, expires_at=Instant(NOW)), Rejection.EXPIRED),
        (_kept(TEXT, revoked_at=Instant(NOW + 9)), Rejection.REVOKED),
        (_kept(TEXT, revoked_at=Instant(1), expires_at=Instant(1)), Rejection.REVOKED),
    ],
)
def test_a_key_has_its_time(key: ClientKey, found: Rejection | None) -> None:
    """It ends at the moment it expires, or is revoked."""
    result = _find(TEXT, key)
    if found is None:
        assert isinstance(result, HeldKey)
        assert result.key is key
    else:
        assert result == Rejected(found, key.id)


def test_another_pepper_makes_another_digest() -> None:
    """The digests of one node are of no use to another."""
    table = _table(_kept(TEXT))
    found = find_key(table, TEXT, pepper=Secret("other"), now=NOW)
    assert found == Rejected(Rejection.WRONG_SECRET, ClientKeyId("aaaaaaaa"))


def test_a_key_that_may_not_have_been_read_yet_is_not_called_unknown() -> None:
    """As long as the disk does not answer nobody knows."""
    table = _table(is_complete=False)
    found = find_key(table, TEXT, pepper=PEPPER, now=NOW)
    assert isinstance(found, Rejected)
    assert found.reason is Rejection.NOT_READ
    assert table.has_chat_keys


@pytest.mark.parametrize(
    ("keys", "needed"),
    [
        ((), False),
        ((_kept(TEXT, scope=KeyScope.METRICS),), False),
        ((_kept(TEXT),), True),
        ((_kept(TEXT, revoked_at=Instant(1)),), True),
        ((_kept(TEXT, expires_at=Instant(1)),), True),
    ],
)
def test_keys_are_needed_once_there_was_one(keys: tuple[ClientKey, ...], needed: bool) -> None:  # noqa: FBT001  a column
    """Revoking the last key must not open the doors."""
    assert _table(*keys).has_chat_keys is needed


def test_what_was_spent_stays_spent_in_the_next_table() -> None:
    """Making or revoking one key gives no other its minute back; new limits do."""
    limits = LimitSettings(normal_requests_per_minute=2, anonymous_requests_per_minute=3)
    key = _kept(TEXT)
    before = _table(key, limits=limits)
    held = before.keys[key.id]
    held.last_used_at = Instant(5.0)
    other = _kept(write_key(ClientKeyId("bbbbbbbb"), b"\x02" * SECRET_BYTES))
    after = key_table([key, other], limits, before, last_used_at={})
    assert after.keys[key.id].allowance is held.allowance
    assert after.keys[key.id].last_used_at == 5.0
    assert after.anonymous is before.anonymous
    changed = key_table([key], LimitSettings(), after, last_used_at={})
    assert changed.keys[key.id].allowance.limits == (None, None)


def test_the_first_of_two_keys_with_one_id_counts() -> None:
    """The configuration comes before what was made."""
    first, second = _kept(TEXT, name="first"), _kept(TEXT, name="second")
    assert _table(first, second).keys[first.id].key is first


def test_states_have_their_words() -> None:
    """As the admin API shows them."""
    assert [each.value for each in KeyState] == ["active", "revoked", "expired"]
