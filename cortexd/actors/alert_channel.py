"""One way to tell people of alerts: takes from its outbox, and tries until it is told or given up.

A channel that hangs, fails or crashes holds up nobody but itself.
"""

import random
from typing import Final

import attrs
import trio

from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.domain.alert import NotificationFailed
from cortexd.domain.events import AlertChannelFailed, Emit
from cortexd.ports import Notifier

ATTEMPTS_MAX: Final = 8
WAIT_S_FIRST: Final = 1.0
WAIT_S_MAX: Final = 60.0
JITTER: Final = 0.2
"""A message is tried so often, with waits that double from the first of these to the second, each
give or take this share: two minutes in all, beside the time that the attempts take."""


@attrs.frozen(kw_only=True, eq=False)
class AlertChannel:
    """A channel with what it has to tell. All of it outlives the tree's incarnations of `run`."""

    name: str
    type: str
    outbox: AlertOutbox
    notifier: Notifier

    async def run(self, chance: random.Random, emit: Emit) -> None:
        """Tell people what comes into the outbox, until cancelled."""
        while True:
            await self.outbox.wait_filled()
            failure = await self._try()
            if failure is None:
                self.outbox.delivered()
                continue
            attempts = self.outbox.attempts
            if failure.is_final or attempts >= ATTEMPTS_MAX:
                lost = self.outbox.given_up(failure.message)
            else:
                self.outbox.failed(failure.message)
                lost = 0
            emit(
                AlertChannelFailed(
                    channel=self.name, reason=failure.message, attempt=attempts, lost=lost
                )
            )
            await trio.sleep(wait_s(attempts, chance))

    async def _try(self) -> NotificationFailed | None:
        limit_s = self.notifier.send_s_max
        failure: NotificationFailed | None = NotificationFailed(f"no answer within {limit_s:g} s")
        with trio.move_on_after(limit_s):
            try:
                await self.notifier.send(self.outbox.take(trio.current_time()))
                failure = None
            except NotificationFailed as error:
                failure = error
        return failure


def wait_s(attempt: int, chance: random.Random) -> float:
    """How long to wait after this attempt, counted from 1, has failed."""
    doubled = min(WAIT_S_MAX, WAIT_S_FIRST * 2.0 ** (attempt - 1))
    return doubled * chance.uniform(1.0 - JITTER, 1.0 + JITTER)
