"""Answers and claims in a real Redis: what is kept, what ends, and what others put there."""

import msgspec
import pytest
import trio

from cortexd.cluster.keys import key as name_of
from cortexd.cluster.shared_answers import CLAIM_S, RENEW_S, RedisAnswers
from cortexd.cluster_ports import ClaimedElsewhere
from cortexd.domain.answer import Finished, FinishReason, TextDelta
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.ids import WorkerName
from cortexd.policy.answer_cache import cached_answer
from cortexd.wire.answer_codec import ANSWER_BYTES_MAX
from tests.cluster.linked import HANGS_S, linked
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

KEY, FINGERPRINT = b"k" * 32, b"f" * 32


def _answer(text: str = "hello", *, ttl_s: float = 100.0) -> CachedAnswer:
    return cached_answer(
        (TextDelta(text), Finished(FinishReason.STOP)),
        worker=WorkerName("w"),
        model="m",
        expires_at=trio.current_time() + ttl_s,
        fingerprint=FINGERPRINT,
    )


def _yes() -> bool:
    return True


def _no() -> bool:
    return False


async def test_an_answer_comes_back_as_it_was(redis: RedisServer) -> None:
    """With the rest of its time, and only to those of its cluster."""
    async with linked(redis) as link:
        one, other, stranger = (RedisAnswers(link, name) for name in ("same", "same", "strange"))
        claim = one.new_claim(KEY, FINGERPRINT, _yes)
        assert await one.find_or_claim(claim) is None
        kept = _answer()
        await one.keep(claim, kept)
        found = await other.find(KEY)
        assert found is not None
        assert found.events == kept.events
        assert (found.worker, found.model) == ("w", "m")
        assert found.fingerprint == FINGERPRINT
        assert kept.expires_at - 5.0 < found.expires_at <= kept.expires_at + 0.1
        assert await stranger.find(KEY) is None
        assert isinstance(
            await other.find_or_claim(other.new_claim(KEY, FINGERPRINT, _yes)), CachedAnswer
        )
    ttl = int(redis.command("pttl", name_of("same", "answer", "1", KEY.hex())))
    assert 0 < ttl <= 100_000


async def test_one_node_has_the_claim_until_it_ends_it(redis: RedisServer) -> None:
    """The others are told what it is for; whoever asks first then is next."""
    async with linked(redis) as link:
        one, other = RedisAnswers(link, "claims"), RedisAnswers(link, "claims")
        mine, theirs = (each.new_claim(KEY, FINGERPRINT, _yes) for each in (one, other))
        assert await one.find_or_claim(mine) is None
        assert await other.find_or_claim(theirs) == ClaimedElsewhere(FINGERPRINT)
        await other.release(theirs)
        assert await other.find_or_claim(theirs) == ClaimedElsewhere(FINGERPRINT)
        await one.release(mine)
        assert await other.find_or_claim(theirs) is None
        await one.keep(mine, _answer("late"))
        claim = redis.command("get", name_of("claims", "claim", "1", KEY.hex()))
        assert claim == theirs.text, "who has lost it leaves it alone"


async def test_a_claim_is_renewed_while_it_is_awaited(redis: RedisServer) -> None:
    """And released once it is in vain; without its node it ends by itself."""
    async with linked(redis) as link:
        answers = RedisAnswers(link, "renewed")
        awaited, vain, dead = (
            answers.new_claim(bytes([number]) * 32, FINGERPRINT, is_awaited)
            for number, is_awaited in enumerate((_yes, _no, _yes))
        )
        for claim in (awaited, vain):
            assert await answers.find_or_claim(claim) is None
        assert await RedisAnswers(link, "renewed").find_or_claim(dead) is None
        names = [name_of("renewed", "claim", "1", each.key.hex()) for each in (awaited, vain, dead)]
        for name in names:
            redis.command("pexpire", name, "1500")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answers.run)
            with trio.fail_after(HANGS_S):
                while redis.command("exists", *names[1:]) != "0":  # noqa: ASYNC110  Redis tells
                    await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        left_ms = int(redis.command("pttl", names[0]))
    assert left_ms > 1000 * (CLAIM_S - 2 * RENEW_S) - 500


async def test_who_gives_up_in_the_middle_can_still_release(redis: RedisServer) -> None:
    """Whether or not the claim was made: nobody waits for a client that has gone."""
    async with linked(redis) as link:
        answers = RedisAnswers(link, "given-up")
        for _ in range(20):
            claim = answers.new_claim(KEY, FINGERPRINT, _yes)
            with trio.move_on_after(0.0001):
                await answers.find_or_claim(claim)
            await answers.release(claim)
    assert redis.command("exists", name_of("given-up", "claim", "1", KEY.hex())) == "0"


async def test_what_is_too_long_is_not_kept_and_ends_the_claim(redis: RedisServer) -> None:
    """Nor is what has expired already."""
    async with linked(redis) as link:
        answers = RedisAnswers(link, "too-long")
        for answer in (_answer("x" * ANSWER_BYTES_MAX), _answer(ttl_s=-1.0)):
            claim = answers.new_claim(KEY, FINGERPRINT, _yes)
            assert await answers.find_or_claim(claim) is None
            await answers.keep(claim, answer)
    assert redis.command("keys", "cortexd:{too-long}:*") == ""


async def test_a_purge_forgets_the_answers_of_its_cluster(redis: RedisServer) -> None:
    """All of them, whatever the cluster is called, and no others."""
    async with linked(redis) as link:
        one, other = RedisAnswers(link, "[a]*"), RedisAnswers(link, "a")
        for number in range(30):
            for answers in (one, other):
                key = bytes([number]) * 32
                await answers.keep(answers.new_claim(key, FINGERPRINT, _yes), _answer())
        assert await one.purge() == 30
        assert await one.purge() == 0
        assert await one.find(bytes(32)) is None
        assert await other.find(bytes(32)) is not None


GARBAGE = {
    "text": ("set", "{name}", "garbage", "px", "100000"),
    "hostile JSON": ("set", "{name}", '{"__class__": "os.system"}', "px", "100000"),
    "deep": ("set", "{name}", "\x11" * 5000, "px", "100000"),
    "another type": ("rpush", "{name}", "a", "b"),
    "huge": ("setrange", "{name}", str(8 * ANSWER_BYTES_MAX), "x"),
}


@pytest.mark.parametrize("kind", ["answer", "claim"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_as_if_it_were_not_there(
    redis: RedisServer, kind: str, garbage: tuple[str, ...]
) -> None:
    """Of either kind; what comes next is kept in its place."""
    cluster = f"garbage-{kind}"
    name = name_of(cluster, kind, "1", KEY.hex())
    redis.command("del", name, name_of(cluster, "answer", "1", KEY.hex()))
    redis.command(*(word.format(name=name) if word == "{name}" else word for word in garbage))
    async with linked(redis) as link:
        answers = RedisAnswers(link, cluster)
        claim = answers.new_claim(KEY, FINGERPRINT, _yes)
        assert await answers.find(KEY) is None
        assert await answers.find_or_claim(claim) is None
        await answers.keep(claim, _answer())
        assert await answers.find(KEY) is not None


async def test_a_good_answer_without_an_end_is_none(redis: RedisServer) -> None:
    """No node keeps one for ever; and one of another schema is not read at all."""
    name = name_of("endless", "answer", "1", KEY.hex())
    async with linked(redis) as link:
        answers = RedisAnswers(link, "endless")
        claim = answers.new_claim(KEY, FINGERPRINT, _yes)
        await answers.keep(claim, _answer())
        redis.command("persist", name)
        assert await answers.find(KEY) is None
        assert redis.command("exists", name) == "0"
        await answers.keep(claim, _answer())
        kept = await link.call(lambda client: client.get(name))
        assert kept is not None
        _, *rest = msgspec.msgpack.decode(kept)
        newer = msgspec.msgpack.encode([2, *rest])
        await link.call(lambda client: client.set(name, newer, px=100_000))
        assert await answers.find(KEY) is None


async def test_a_claim_of_another_shape_is_taken_over(redis: RedisServer) -> None:
    """One as long as ours, but of no request; or one that would stand for a day."""
    async with linked(redis) as link:
        answers = RedisAnswers(link, "shape")
        claim = answers.new_claim(KEY, FINGERPRINT, _yes)
        name = name_of("shape", "claim", "1", KEY.hex())
        other = answers.new_claim(KEY, FINGERPRINT, _yes)
        for text, ms in (("z" * len(claim.text), "1000"), (other.text, "86400000")):
            redis.command("set", name, text, "px", ms)
            assert await answers.find_or_claim(claim) is None
            assert redis.command("get", name) == claim.text


async def test_a_full_one_still_gives_answers(fragile_redis: RedisServer) -> None:
    """And takes neither claims nor answers: each node asks for itself, and the link says why."""
    async with linked(fragile_redis) as link:
        answers = RedisAnswers(link, "full")
        kept = answers.new_claim(KEY, FINGERPRINT, _yes)
        await answers.keep(kept, _answer())
        fragile_redis.command("config", "set", "maxmemory", "1")
        assert await answers.find(KEY) is not None
        other = answers.new_claim(b"o" * 32, FINGERPRINT, _yes)
        with pytest.raises(SharedStoreFailed, match="maxmemory"):
            await answers.find_or_claim(other)
        await answers.keep(other, _answer())
        assert "maxmemory" in (link.trouble(trio.current_time()) or "")
        assert answers.is_up
        fragile_redis.command("config", "set", "maxmemory", "0")
        assert await answers.find(b"o" * 32) is None
        assert await answers.find_or_claim(other) is None
