"""A bounded queue in which nobody waits longer because somebody else asks for more.

The tenants take turns; within a tenant it is first come, first served. A place in the queue is
shared out like the turns: when all are taken, the tenant that has most gives one up for a tenant
that has clearly fewer.

What is said to cost a look at each tenant is bounded by the size of the queue; all else takes the
same time however many wait.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

import attrs

from cortexd.domain.ids import Tenant

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Waiting:
    """One that waits. `position`: from 1. `since`: on the monotonic clock, in seconds."""

    tenant: Tenant
    position: int
    since: float


class FairQueue(Generic[T]):
    """Items of tenants. They are told apart by equality and must be hashable."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tenants: dict[T, Tenant] = {}
        # In the order of their turns; each item with the time it came. No line is ever empty.
        self._lines: OrderedDict[Tenant, OrderedDict[T, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tenants)

    def push(self, tenant: Tenant, item: T, now: float) -> T | None:
        """Put `item` at the end of its tenant's line.

        Returns the one for which there is no room then, if there is one: the newest of the tenant
        with most in the queue, or `item` itself, unless that tenant would still have no less than
        this one. A full queue costs a look at each tenant.
        """
        displaced = None
        if len(self._tenants) >= self._size:
            displaced = self._make_room_for(tenant)
            if displaced is None:
                return item
        self._tenants[item] = tenant
        line = self._lines.get(tenant)
        if line is None:
            line = self._lines[tenant] = OrderedDict()
        line[item] = now
        return displaced

    def pop(self) -> T | None:
        """Take out whose turn it is; `None` if nobody waits."""
        if not self._lines:
            return None
        tenant, line = next(iter(self._lines.items()))
        item, _ = line.popitem(last=False)
        del self._tenants[item]
        if line:
            self._lines.move_to_end(tenant)
        else:
            del self._lines[tenant]
        return item

    def discard(self, item: T) -> None:
        """Take out `item`, if it is there."""
        tenant = self._tenants.pop(item, None)
        if tenant is not None:
            line = self._lines[tenant]
            del line[item]
            if not line:
                del self._lines[tenant]

    def next_position(self, tenant: Tenant) -> int:
        """Where an item of `tenant` would stand if it came now and there were room, from 1.

        Costs a look at each tenant.
        """
        own = self._lines.get(tenant)
        if own is None:
            return len(self._lines) + 1
        rounds, position = len(own) + 1, 1
        for line in self._lines.values():
            if line is own:
                position += len(own)
                # Those behind it have their turn of the last round after it.
                rounds -= 1
            else:
                position += min(len(line), rounds)
        return position

    def waiting(self) -> tuple[Waiting, ...]:
        """All that wait, in the order of their turns, if nobody comes or leaves. For operators."""
        turns = sorted(
            (round_, place, since, tenant)
            for place, (tenant, line) in enumerate(self._lines.items())
            for round_, since in enumerate(line.values())
        )
        return tuple(
            Waiting(tenant=tenant, position=position, since=since)
            for position, (_, _, since, tenant) in enumerate(turns, start=1)
        )

    def _make_room_for(self, tenant: Tenant) -> T | None:
        """Take the newest of the tenant with most, if it has then no less than `tenant` will."""
        own = self._lines.get(tenant, ())
        longest = max(self._lines.values(), key=len, default=())
        if not longest or len(longest) - 1 < len(own) + 1:
            return None
        item = next(reversed(longest))
        self.discard(item)
        return item
