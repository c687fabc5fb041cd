"""One upstream call for all nodes that are asked the same thing at the same time.

A flight of this node first looks for the answer where all nodes keep theirs. If there is none, the
first node claims it and asks a worker; a flight on another node waits until the answer is there as
a whole, or until the claim has gone with its node, its client, or an answer that is not kept: then
it claims it itself.

What that costs: the clients of the other nodes get their first token when the answer is complete,
and not when it begins. It is so because the pieces would have to go through Redis one by one. It
concerns those alone who ask for what may be kept and happen to ask at the same moment, and has two
limits: nobody waits longer than WAIT_S_MAX, and nobody for an answer that is being held up by the
client that it is written to.
"""

import random
from collections.abc import Callable
from typing import Final

import attrs
import trio

from cortexd.cluster_ports import AnswerClaim, ClaimedElsewhere, SharedAnswers
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.errors import SharedStoreFailed
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.pipeline.flight import Flight
from cortexd.pipeline.kept_answers import Identity, replay
from cortexd.policy.answer_cache import AnswerCache, SecondLevel

WAIT_S_MAX: Final = 30.0
"""Whoever has waited so long for another node asks a worker itself."""

POLL_S_FIRST: Final = 0.02
POLL_S_MAX: Final = 0.25
"""The waits between looks double from the first of these to the second."""


@attrs.define
class _Progress:
    """Whether others may hope for the answer of a flight; asked about once a second."""

    flight: Flight
    size_bytes: int = -1

    def __call__(self) -> bool:
        before, self.size_bytes = self.size_bytes, self.flight.size_bytes
        is_held_up = self.flight.is_writing and before == self.size_bytes
        return self.flight.is_joinable and not is_held_up


@attrs.define(kw_only=True, eq=False)
class SharedFlight:
    """What a flight does where nodes share their answers; to be called in place of `inner`.

    `keep_here` is the cache's: it keeps a whole answer, and says what it has kept, if anything.
    """

    flight: Flight
    identity: Identity
    inner: ChatService
    keep_here: Callable[[Flight], CachedAnswer | None]
    answers: SharedAnswers
    cache: AnswerCache
    chance: random.Random
    _claim: AnswerClaim = attrs.field(init=False)
    _is_anothers: bool = attrs.field(default=False, init=False)
    _answer: CachedAnswer | None = attrs.field(default=None, init=False)

    @_claim.default
    def _new_claim(self) -> AnswerClaim:
        identity, is_awaited = self.identity, _Progress(self.flight)
        return self.answers.new_claim(identity.key, identity.fingerprint, is_awaited)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the flight's exchange. Raises what `inner` does, and `RequestRefused` (422)."""
        if self.identity.is_named or exchange.wishes.may_read:
            answer = await self._find()
            if answer is not None and await self._give(answer, exchange):
                return
        await self.inner(exchange)

    def keep(self, flight: Flight) -> None:
        """Keep the answer, if it is one to give again: here at once, elsewhere by `finish`."""
        if not self._is_anothers:
            self._answer = self.keep_here(flight)

    async def finish(self) -> None:
        """Let the other nodes have the answer, or ask for it, once all clients have had theirs."""
        if self._answer is None:
            await self.answers.release(self._claim)
        else:
            await self.answers.keep(self._claim, self._answer)

    async def _find(self) -> CachedAnswer | None:
        """The answer of another node, if there is one, or will be soon."""
        give_up_at = trio.current_time() + WAIT_S_MAX
        pause_s, is_claimed = POLL_S_FIRST, False
        while True:
            try:
                found = await self.answers.find_or_claim(self._claim)
            except SharedStoreFailed:
                # Where another node is known to ask, one late word is no reason to ask as well.
                if not (is_claimed and self.answers.is_up):
                    self.cache.count(SecondLevel.FAILED)
                    return None
            else:
                if not isinstance(found, ClaimedElsewhere):
                    return self._checked(found)
                self.identity.check(found.fingerprint)
                is_claimed = True
            if trio.current_time() >= give_up_at:
                self.cache.count(SecondLevel.MISS)
                return None
            await trio.sleep(pause_s * self.chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, POLL_S_MAX)

    def _checked(self, found: CachedAnswer | None) -> CachedAnswer | None:
        """What was found, if it answers the request; it is kept here as well."""
        if found is None:
            self.cache.count(SecondLevel.MISS)
            return None
        if not self.identity.has(found, self.flight.exchange.request):
            self.cache.count(SecondLevel.FAILED)
            return None
        self.cache.count(SecondLevel.HIT)
        self.cache.put(self.identity.key, found, trio.current_time())
        return found

    async def _give(self, answer: CachedAnswer, exchange: Exchange) -> bool:
        """Replay it to all whom the flight is for; false if the client's door has no words for it.

        It is to nobody's account here: who has asked for it was on another node.
        """
        self.flight.account(CacheUse.HIT)
        self._is_anothers = await replay(answer, exchange, trio.current_time())
        if not self._is_anothers:
            self.flight.account(CacheUse.MISS)
        return self._is_anothers
