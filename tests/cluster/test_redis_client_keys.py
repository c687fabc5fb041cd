"""Client keys in a real Redis: who hears of them, and who has no say."""

import attrs
import pytest
import trio

from cortexd.cluster.keys import key as name_of
from cortexd.cluster.shared_client_keys import TOLD_AT_ONCE_MAX, RedisClientKeys
from cortexd.domain.client_key import (
    ClientKey,
    ClientKeyId,
    Instant,
    KeyDigest,
    KeyRecords,
    KeyScope,
)
from cortexd.domain.criticality import Criticality
from cortexd.domain.secret import Secret
from cortexd.wire.shared_client_key import encode_key, group_of
from tests.cluster.linked import linked
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

PEPPER = Secret("pepper")
KEY = ClientKey(
    id=ClientKeyId("abcdefgh"),
    digest=KeyDigest("0f" * 32),
    name="somebody",
    criticality=Criticality.PREMIUM,
    scope=KeyScope.METRICS,
    requests_per_minute=60,
    created_at=Instant(1_800_000_000.5),
    expires_at=Instant(1_900_000_000.0),
)
NEWS = KeyRecords(created={KEY.id: KEY}, revoked_at={ClientKeyId("zzzzzzzz"): Instant(1.5)})


async def test_what_one_tells_the_others_hear_once(redis: RedisServer) -> None:
    """All of it, with a version by which it is known again."""
    async with linked(redis) as link:
        one, other = (RedisClientKeys(link, "told", PEPPER) for _ in range(2))
        empty = await other.changed_since(None)
        assert empty == ("", KeyRecords())
        assert await other.changed_since("") is None
        await one.tell(NEWS)
        heard = await other.changed_since("")
        assert heard is not None
        version, records = heard
        assert records == NEWS
        assert records.created[KEY.id].digest.reveal() == KEY.digest.reveal()
        assert await other.changed_since(version) is None
        redis.command("del", name_of("told", "client-keys-version", group_of(PEPPER)))
        redis.command("del", name_of("told", "client-keys", group_of(PEPPER)))
        assert await other.changed_since(version) == ("", KeyRecords())


async def test_more_than_a_call_takes(redis: RedisServer) -> None:
    """Goes in several."""
    ids = [ClientKeyId(f"{number:08d}") for number in range(TOLD_AT_ONCE_MAX + 1)]
    news = KeyRecords(created={each: attrs.evolve(KEY, id=each) for each in ids})
    async with linked(redis) as link:
        keys = RedisClientKeys(link, "many", PEPPER)
        await keys.tell(news)
        heard = await keys.changed_since(None)
    assert heard is not None
    assert heard[1] == news


async def test_nodes_with_another_pepper_hear_nothing(redis: RedisServer) -> None:
    """What they would hear opens nothing there."""
    async with linked(redis) as link:
        await RedisClientKeys(link, "pepper", PEPPER).tell(NEWS)
        assert await RedisClientKeys(link, "pepper", Secret("other")).changed_since(None) == (
            "",
            KeyRecords(),
        )


async def test_what_no_node_has_signed_is_not_heard(redis: RedisServer) -> None:
    """Neither a made-up key, nor a true one with other words, nor garbage; the rest is."""
    name = name_of("signed", "client-keys", group_of(PEPPER))
    async with linked(redis) as link:
        keys = RedisClientKeys(link, "signed", PEPPER)
        await keys.tell(NEWS)
        forged = encode_key(attrs.evolve(KEY, id=ClientKeyId("forged00")), Secret("guess"))
        true = encode_key(KEY, PEPPER)
        altered = true[:40] + bytes([true[40] ^ 1]) + true[41:]
        hostile: dict[str | bytes, str | bytes | int | float] = {
            "made:forged00": forged,
            "made:altered0": altered,
            "made:short": true[:20],
            "revoked:abcdefgh": true,
            "garbage": b"\xff" * 100,
            "made:huge": b"x" * 100_000,
        }
        await link.call(lambda client: client.hset(name, hostile))
        heard = await keys.changed_since(None)
    assert heard is not None
    assert heard[1] == NEWS


@pytest.mark.parametrize("kind", ["client-keys", "client-keys-version"])
async def test_another_type_is_as_if_it_were_not_there(redis: RedisServer, kind: str) -> None:
    """And is replaced by what nodes tell."""
    name = name_of(f"typed-{kind}", kind, group_of(PEPPER))
    redis.command("rpush", name, "garbage")
    async with linked(redis) as link:
        keys = RedisClientKeys(link, f"typed-{kind}", PEPPER)
        assert await keys.changed_since(None) == ("", KeyRecords())
        await keys.tell(NEWS)
        heard = await keys.changed_since(None)
        assert heard is not None
        assert heard[1] == NEWS
        assert await keys.changed_since(heard[0]) is None
        assert link.trouble(trio.current_time()) is None
