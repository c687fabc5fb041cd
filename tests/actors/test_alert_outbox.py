"""What a channel has yet to tell."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cortexd.actors.alert_outbox import WAITING_MAX, AlertOutbox
from cortexd.domain.alert import Notice, Severity
from tests.fakes.alerts import notice


def _notice(number: int) -> Notice:
    return notice(at=float(number))


@pytest.fixture
def outbox() -> AlertOutbox:
    """One for warnings and worse."""
    return AlertOutbox(Severity.WARNING)


def _times(outbox: AlertOutbox) -> list[float]:
    return [notice.at for notice in outbox.take(0.0).notices]


def test_it_gives_all_that_waits_oldest_first_with_its_ages(outbox: AlertOutbox) -> None:
    """In one message, however much it is."""
    for number in range(3):
        outbox.put(_notice(number))
    digest = outbox.take(10.0)
    assert [notice.at for notice in digest.notices] == [0, 1, 2]
    assert digest.ages_s == (10.0, 9.0, 8.0)
    assert digest.lost == 0


def test_what_is_not_severe_enough_does_not_come_in() -> None:
    """Nothing waits then."""
    outbox = AlertOutbox(Severity.CRITICAL)
    outbox.put(notice())
    assert outbox.queued == 0
    outbox.put(notice(severity=Severity.CRITICAL))
    assert outbox.queued == 1


def test_what_was_taken_and_not_settled_is_taken_again(outbox: AlertOutbox) -> None:
    """As by a channel that comes back after a crash; what has come since waits behind it."""
    outbox.put(_notice(0))
    assert _times(outbox) == [0]
    outbox.put(_notice(1))
    outbox.failed("no answer")
    assert _times(outbox) == [0]
    assert (outbox.attempts, outbox.failure, outbox.queued) == (2, "no answer", 2)
    outbox.delivered()
    assert _times(outbox) == [1]
    assert (outbox.attempts, outbox.failure, outbox.queued) == (1, None, 1)


def test_the_oldest_go_when_it_is_full_and_are_counted(outbox: AlertOutbox) -> None:
    """The count is told with the next message, until one has been told."""
    for number in range(WAITING_MAX + 5):
        outbox.put(_notice(number))
    assert outbox.queued == WAITING_MAX
    digest = outbox.take(0.0)
    assert (digest.notices[0].at, digest.lost) == (5, 5)
    # Another one goes while these are on their way.
    for number in range(WAITING_MAX + 1):
        outbox.put(_notice(number))
    outbox.delivered()
    assert outbox.take(0.0).lost == 1
    outbox.delivered()
    assert outbox.lost == 0


def test_what_is_given_up_is_lost(outbox: AlertOutbox) -> None:
    """And told as such."""
    outbox.put(_notice(0))
    outbox.put(_notice(1))
    outbox.take(0.0)
    assert outbox.given_up("answered with status 404") == 2
    assert (outbox.queued, outbox.lost, outbox.failure) == (0, 2, "answered with status 404")
    outbox.put(_notice(2))
    assert outbox.take(0.0).lost == 2


async def test_whoever_waits_is_woken_by_what_comes_in(outbox: AlertOutbox) -> None:
    """Not by what is not severe enough; and not at all where something is there already."""
    woken = trio.Event()

    async def wait() -> None:
        await outbox.wait_filled()
        woken.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        outbox.put(notice(severity=Severity.INFO))
        await wait_all_tasks_blocked()
        assert not woken.is_set()
        outbox.put(notice())
        await wait_all_tasks_blocked()
        assert woken.is_set()
    await outbox.wait_filled()


async def test_whoever_waits_is_not_woken_while_it_is_held(outbox: AlertOutbox) -> None:
    """It is when it is let go."""
    outbox.put(_notice(0))
    outbox.hold(is_held=True)
    with trio.move_on_after(100) as waiting:
        await outbox.wait_filled()
    assert waiting.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.wait_filled)
        await wait_all_tasks_blocked()
        outbox.hold(is_held=False)


def test_what_is_withdrawn_is_somebody_elses(outbox: AlertOutbox) -> None:
    """An attempt that is under way then counts neither as told nor as lost."""
    for number in range(2):
        outbox.put(_notice(number))
    outbox.take(0.0)
    outbox.put(_notice(2))
    assert [each.at for each in outbox.unsettled] == [0, 1, 2]
    outbox.withdraw()
    assert outbox.unsettled == ()
    assert outbox.given_up("no answer") == 0
    assert (outbox.queued, outbox.lost, outbox.delivered_count) == (0, 0, 0)


async def test_whoever_wants_to_know_hears_when_something_is_settled(outbox: AlertOutbox) -> None:
    """Told or given up; not when it is to be tried again."""
    settled: list[int] = []

    async def wait() -> None:
        while True:
            await outbox.wait_settled()
            settled.append(outbox.queued)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        for settle in (outbox.failed, outbox.given_up, lambda _reason: outbox.delivered()):
            outbox.put(_notice(0))
            outbox.take(0.0)
            await wait_all_tasks_blocked()
            settle("no answer")
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert settled == [1, 0]
