"""What nodes share, in memory: the port `SharedAnswers` with claims that end by themselves."""

from collections.abc import Callable

import attrs
import trio

from cortexd.cluster_ports import AnswerClaim, ClaimedElsewhere
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.errors import SharedStoreFailed

CLAIM_S = 5.0


@attrs.define(eq=False)
class SharedMemory:
    """`is_up` false: it is known to be gone. `is_late`: nothing is answered in time.

    `renews`: whether the nodes that have claims live on. `calls`: how often it was asked.
    """

    is_up: bool = True
    is_late: bool = False
    renews: bool = True
    calls: int = 0
    answers: dict[bytes, CachedAnswer] = attrs.Factory(dict)
    claims: dict[bytes, tuple[AnswerClaim, float]] = attrs.Factory(dict)
    fingerprints: dict[str, bytes] = attrs.Factory(dict)

    async def _turn(self) -> None:
        self.calls += 1
        await trio.lowlevel.checkpoint()
        if not self.is_up:
            raise SharedStoreFailed("gone")
        if self.is_late:
            await trio.sleep(0.05)
            raise SharedStoreFailed("late")

    async def find(self, key: bytes) -> CachedAnswer | None:
        """The answer."""
        await self._turn()
        answer = self.answers.get(key)
        return answer if answer is not None and answer.expires_at > trio.current_time() else None

    def new_claim(
        self, key: bytes, fingerprint: bytes, is_awaited: Callable[[], bool]
    ) -> AnswerClaim:
        """A claim to make."""
        claim = AnswerClaim(key, str(len(self.fingerprints)), is_awaited)
        self.fingerprints[claim.text] = fingerprint
        return claim

    async def find_or_claim(self, claim: AnswerClaim) -> CachedAnswer | ClaimedElsewhere | None:
        """The answer, or who gives it."""
        answer = await self.find(claim.key)
        if answer is not None:
            return answer
        held, since = self.claims.get(claim.key, (None, 0.0))
        is_alive = trio.current_time() < since + CLAIM_S or (self.renews and held is not None)
        if held is not None and is_alive and held.is_awaited():
            return ClaimedElsewhere(self.fingerprints[held.text])
        self.claims[claim.key] = claim, trio.current_time()
        return None

    async def keep(self, claim: AnswerClaim, answer: CachedAnswer) -> None:
        """Keep the answer, and end the claim."""
        if self.is_up and not self.is_late:
            await trio.lowlevel.checkpoint()
            self.answers[claim.key] = answer
        await self.release(claim)

    async def release(self, claim: AnswerClaim) -> None:
        """End the claim."""
        await trio.lowlevel.checkpoint()
        if self.claims.get(claim.key, (None,))[0] is claim:
            del self.claims[claim.key]

    async def purge(self) -> int:
        """Forget all answers."""
        await self._turn()
        count = len(self.answers)
        self.answers.clear()
        return count
