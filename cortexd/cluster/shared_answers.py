"""The second level of the cache: answers that any node of the cluster gives again.

An answer has one place, and beside it stands the claim of the node that is about to give it. A
claim ends by itself soon after its node has; until then it is renewed, as long as the answer is
worth waiting for.

Rules of this file: what stands in Redis may be anybody's. It is read only if it is not too large,
and what is no answer, or no claim, is as if it were not there.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import trio

from cortexd.cluster.keys import key as name_of
from cortexd.cluster.lua_script import LuaScript
from cortexd.cluster.redis_link import Client, RedisLink
from cortexd.cluster_ports import AnswerClaim, ClaimedElsewhere
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.errors import SharedStoreFailed
from cortexd.wire.answer_codec import (
    ANSWER_BYTES_MAX,
    FINGERPRINT_BYTES,
    SCHEMA,
    decode_answer,
    encode_answer,
)

CLAIM_S: Final = 4.0
"""How long the others wait for a node that has died, at most; longer than a busy one is late."""

RENEW_S: Final = 1.0
TOLD_AT_ONCE_MAX: Final = 500

UNHURRIED_S_MAX: Final = 0.5
"""How long a call may take that no client waits for."""

KEEPS_MAX: Final = 32
"""So many answers at once are on their way to Redis; what comes on top is not kept there."""

LOOKS_MAX: Final = 3
"""So often what is no answer is cleared away before it is left alone."""

_TOKEN_BYTES: Final = 16
_GLOB: Final = re.compile(r"[*?\[\]\\^-]")

_LOOK: Final = LuaScript("""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' then
    if kind == 'string' and redis.call('STRLEN', KEYS[1]) <= tonumber(ARGV[1]) then
        return {'answer', redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}
    end
    redis.call('UNLINK', KEYS[1])
end
if ARGV[2] == '' then
    return {'nothing'}
end
-- A claim looks like the one that is made here, and ends by itself no later than that.
local left = redis.call('PTTL', KEYS[2])
if left > 0 and left <= tonumber(ARGV[3]) and redis.call('TYPE', KEYS[2]).ok == 'string'
        and redis.call('STRLEN', KEYS[2]) == #ARGV[2] then
    return {'claimed', redis.call('GET', KEYS[2])}
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return {'yours'}
""")
"""Keys: answer, claim. Arguments: size at most, the claim (empty: none is made), its time in ms."""

_KEEP: Final = LuaScript("""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[3] ~= '' and redis.pcall('GET', KEYS[2]) == ARGV[3] then
    redis.call('DEL', KEYS[2])
end
""")
"""Keys: answer, claim. Arguments: the answer, its time in ms, the claim (empty: there is none)."""

_RELEASE: Final = LuaScript("""
for i, name in ipairs(KEYS) do
    if redis.pcall('GET', name) == ARGV[i] then
        redis.call('DEL', name)
    end
end
""")

_RENEW: Final = LuaScript("""
for i, name in ipairs(KEYS) do
    if redis.pcall('GET', name) == ARGV[i + 1] then
        redis.call('PEXPIRE', name, ARGV[1])
    end
end
""")

_CLEAR: Final = LuaScript("""
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
    redis.call('UNLINK', KEYS[1])
end
""")


class RedisAnswers:
    """The port `SharedAnswers`. `run` renews the claims of this node."""

    def __init__(self, link: RedisLink, cluster: str) -> None:
        self._link = link
        self._cluster = cluster
        # Also those of which it is not known whether Redis has them.
        self._held: set[AnswerClaim] = set()
        self._keeping = 0

    @property
    def is_up(self) -> bool:
        """Whether it is asked at all."""
        return self._link.is_up

    async def find(self, key: bytes) -> CachedAnswer | None:
        """The answer, if there is one. Errors: `SharedStoreFailed`."""
        found = await self._look(key, "")
        return found if isinstance(found, CachedAnswer) else None

    def new_claim(
        self, key: bytes, fingerprint: bytes, is_awaited: Callable[[], bool]
    ) -> AnswerClaim:
        """What to ask for; see the port."""
        text = secrets.token_hex(_TOKEN_BYTES) + fingerprint.hex()
        return AnswerClaim(key, text, is_awaited)

    async def find_or_claim(self, claim: AnswerClaim) -> CachedAnswer | ClaimedElsewhere | None:
        """The answer, or who gives it; `None`: this node. Errors: `SharedStoreFailed`."""
        self._held.add(claim)
        found = await self._look(claim.key, claim.text)
        if found is not None:
            self._held.discard(claim)
        return found

    async def keep(self, claim: AnswerClaim, answer: CachedAnswer) -> None:
        """Let others have it; raises nothing, as nobody needs to know whether they do."""
        if self.is_up and self._keeping < KEEPS_MAX:
            self._keeping += 1
            try:
                await self._keep(claim, answer)
            finally:
                self._keeping -= 1
        await self.release(claim)

    async def release(self, claim: AnswerClaim) -> None:
        """Let another give the answer; raises nothing, as the claim also ends by itself."""
        if claim in self._held:
            self._held.discard(claim)
            with suppress(SharedStoreFailed):
                await self._tell(_RELEASE, [claim])

    async def purge(self) -> int:
        """Forget all answers, and say how many there were. Errors: `SharedStoreFailed`."""
        pattern = name_of(_GLOB.sub(r"\\\g<0>", self._cluster), "answer", "*")
        count, cursor = 0, None
        while cursor != 0:
            cursor, names = await self._link.call(
                partial(_scan, cursor=cursor or 0, pattern=pattern), limit_s=UNHURRIED_S_MAX
            )
            if names:
                count += await self._link.call(
                    partial(_unlink, names=names), limit_s=UNHURRIED_S_MAX
                )
        return count

    async def run(self) -> None:
        """Renew the claims that are held, until cancelled; those not worth a wait are released."""
        while True:
            await trio.sleep(RENEW_S)
            awaited: list[AnswerClaim] = []
            vain: list[AnswerClaim] = []
            for claim in self._held:
                (awaited if claim.is_awaited() else vain).append(claim)
            self._held.difference_update(vain)
            with suppress(SharedStoreFailed):
                await self._tell(_RENEW, awaited, int(1000 * CLAIM_S))
                await self._tell(_RELEASE, vain)

    async def _keep(self, claim: AnswerClaim, answer: CachedAnswer) -> None:
        data = encode_answer(answer)
        left_ms = int(1000 * (answer.expires_at - trio.current_time()))
        if data is None or left_ms <= 0:
            return
        words: list[str | int | bytes] = [data, left_ms, claim.text]
        with suppress(SharedStoreFailed):
            await self._link.run_script(
                _KEEP, self._names(claim.key), words, limit_s=UNHURRIED_S_MAX
            )
            self._held.discard(claim)

    async def _tell(self, script: LuaScript, claims: Sequence[AnswerClaim], *more: int) -> None:
        for start in range(0, len(claims), TOLD_AT_ONCE_MAX):
            some = claims[start : start + TOLD_AT_ONCE_MAX]
            names = [self._names(claim.key)[1] for claim in some]
            words: list[str | int] = [*more, *(claim.text for claim in some)]
            await self._link.run_script(script, names, words, limit_s=UNHURRIED_S_MAX)

    async def _look(self, key: bytes, claim: str) -> CachedAnswer | ClaimedElsewhere | None:
        names = self._names(key)
        for _ in range(LOOKS_MAX):
            said = await self._link.run_script(
                _LOOK, names, [ANSWER_BYTES_MAX, claim, int(1000 * CLAIM_S)]
            )
            match said:
                case [b"yours" | b"nothing"]:
                    return None
                case [b"claimed", bytes(text)]:
                    fingerprint = _fingerprint(text)
                    if fingerprint is not None:
                        return ClaimedElsewhere(fingerprint)
                    await self._link.run_script(_CLEAR, names[1:], [text])
                case [b"answer", bytes(data), int(left_ms)]:
                    expires_at = trio.current_time() + left_ms / 1000
                    # What does not expire was not kept by a node.
                    answer = decode_answer(data, expires_at=expires_at) if left_ms > 0 else None
                    if answer is not None:
                        return answer
                    await self._link.run_script(_CLEAR, names[:1], [data])
                case _:
                    break
        raise SharedStoreFailed("what is kept there is no answer")

    def _names(self, key: bytes) -> list[str]:
        """Of the answer, and of the claim; the tenant is in the key, the shape of it here."""
        digest = key.hex()
        return [
            name_of(self._cluster, "answer", str(SCHEMA), digest),
            name_of(self._cluster, "claim", str(SCHEMA), digest),
        ]


async def _scan(client: Client, *, cursor: int, pattern: str) -> tuple[int, tuple[bytes, ...]]:
    return await client.scan(cursor=cursor, match=pattern, count=TOLD_AT_ONCE_MAX)


async def _unlink(client: Client, *, names: Sequence[bytes]) -> int:
    return await client.unlink(names)


def _fingerprint(claim: bytes) -> bytes | None:
    """What the request asks for whose answer is claimed."""
    try:
        fingerprint = bytes.fromhex(claim[2 * _TOKEN_BYTES :].decode("ascii"))
    except ValueError:
        return None
    return fingerprint if len(fingerprint) == FINGERPRINT_BYTES else None
