"""What clients may spend on all nodes together, in memory: the port `SharedLimits`."""

from collections.abc import Sequence

import attrs
import trio

from cortexd.cluster_ports import SpendingVerdict, SpendingWish
from cortexd.domain.errors import SharedStoreFailed
from cortexd.policy.rate_limit import Bucket


@attrs.define(eq=False)
class SharedPurse:
    """`is_up` false: it is known to be gone. `is_late`: nothing is answered in time.

    `calls`: how often it was asked.
    """

    is_up: bool = True
    is_late: bool = False
    calls: int = 0
    buckets: dict[tuple[str, int], Bucket] = attrs.Factory(dict)

    async def spend(
        self, client: str, wishes: Sequence[SpendingWish | None]
    ) -> Sequence[SpendingVerdict | None]:
        """Spend of each in its turn."""
        self.calls += 1
        await trio.lowlevel.checkpoint()
        if self.is_late or not self.is_up:
            raise SharedStoreFailed("late or gone")
        verdicts: list[SpendingVerdict | None] = []
        now, refused = trio.current_time(), False
        for place, wish in enumerate(wishes):
            if wish is None:
                verdicts.append(None)
                continue
            bucket = self.buckets.setdefault((client, place), Bucket(wish.per_minute))
            bucket.settle(wish.owed, now)
            wait_s = 0.0 if refused else bucket.take(wish.taken, now)
            refused = refused or wait_s > 0
            verdicts.append(SpendingVerdict(bucket.level(now), wait_s))
        return verdicts

    def left(self, client: str, place: int) -> float:
        """What all nodes have left for a client: of requests (0), or of tokens (1)."""
        return self.buckets[client, place].level(trio.current_time())
