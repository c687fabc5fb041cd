"""What a client may not ask for on all nodes together, with and without what they share."""

from typing import Any

import pytest
import trio

from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.errors import RateLimited, RequestRefused
from cortexd.domain.events import ExchangeEnded
from cortexd.domain.outcome import Outcome
from cortexd.pipeline.exchange import Exchange
from cortexd.pipeline.shared_limits import TELL_S, ClusterLimits
from cortexd.policy.rate_limit import Allowance, allowance
from tests.fakes.shared_limits import SharedPurse

KEY = ClientKeyId("somebody")
REQUESTS, TOKENS = 0, 1


class _Nodes:
    """Some nodes with a picture each of what one client may spend."""

    def __init__(self, make_bench: Any, *limits: int | None, count: int = 3) -> None:
        self.purse = SharedPurse()
        self.limits = [ClusterLimits(self.purse, nodes=lambda: count) for _ in range(count)]
        self.benches = [make_bench(["hello"], limits=each) for each in self.limits]
        self.allowances: list[Allowance | None] = [allowance(*limits) for _ in range(count)]

    async def ask(self, place: int, *, read: Any = None) -> bool:
        """Whether the node has let the client have an answer."""
        exchange: Exchange = self.benches[place].exchange()
        exchange.key_id, exchange.allowance = KEY, self.allowances[place]
        exchange.read = read
        try:
            await self.benches[place].service(exchange)
        except RateLimited as error:
            return not (error.status == 429 and error.retry_after_s > 0)
        return True

    async def served(self, each: int) -> int:
        """How many are let in, when each node is asked so often."""
        return sum([await self.ask(number % 3) for number in range(3 * each)])

    @property
    def outcomes(self) -> list[Outcome]:
        """How they ended."""
        events = [event for bench in self.benches for event in bench.events]
        return [event.outcome for event in events if isinstance(event, ExchangeEnded)]


async def test_a_limit_holds_over_all_nodes(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """As many as on one, whichever are asked; and a call each at most."""
    nodes = _Nodes(make_bench, 60, None)
    assert await nodes.served(40) == 60
    assert nodes.purse.calls <= 63
    assert nodes.outcomes.count(Outcome.SERVED) == 60
    assert nodes.outcomes.count(Outcome.REFUSED) == 60
    await trio.sleep(30.0)
    assert await nodes.served(20) == 30


async def test_who_has_nothing_left_is_neither_read_nor_looked_up(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The node's own picture of it is enough, until it could have changed."""
    nodes = _Nodes(make_bench, 2, None)
    assert [await nodes.ask(0) for _ in range(3)] == [True, True, False]
    before = nodes.purse.calls

    async def read(_: Exchange) -> None:
        raise AssertionError("it was read")

    for _ in range(10):
        assert not await nodes.ask(0, read=read)
    assert nodes.purse.calls == before


async def test_tokens_are_settled_where_all_nodes_see_it(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """With the next call, or soon by itself; a request limit beside it costs no second call."""
    nodes = _Nodes(make_bench, 100, 60)
    assert await nodes.ask(0)
    assert nodes.purse.calls == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nodes.limits[0].run)
        await trio.sleep(2 * TELL_S)
        nursery.cancel_scope.cancel()
    assert nodes.purse.calls == 2
    [used] = [
        event.usage.input_tokens + event.usage.output_tokens
        for event in nodes.benches[0].events
        if isinstance(event, ExchangeEnded) and event.usage
    ]
    assert nodes.purse.left(KEY, TOKENS) == pytest.approx(60 - used, abs=0.6)
    nodes.purse.buckets[KEY, TOKENS].settle(2000, trio.current_time())
    assert not await nodes.ask(1)
    assert not await nodes.ask(2)


async def test_without_it_each_node_has_its_part(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """All parts are the limit again, and nothing is asked that is known to be gone."""
    nodes = _Nodes(make_bench, 60, None)
    nodes.purse.is_up = False
    assert await nodes.served(40) == 60
    assert nodes.purse.calls == 0
    await trio.sleep(30.0)
    assert await nodes.served(40) == 30


async def test_coming_back_is_no_second_helping(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """What was spent apart is told, also to one that has forgotten everything."""
    nodes = _Nodes(make_bench, 60, None)
    assert await nodes.served(10) == 30
    nodes.purse.is_up = False
    apart = await nodes.served(30)
    assert apart <= 60
    nodes.purse.is_up = True
    nodes.purse.buckets.clear()
    again = await nodes.served(30)
    assert 30 + apart + again <= 60 * 2
    assert again <= 3, "one each, before all of them have told"


async def test_one_late_word_is_one_request_of_its_own_part(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """It is served, and told with the next."""
    nodes = _Nodes(make_bench, 60, None)
    assert await nodes.served(10) == 30
    nodes.purse.is_late = True
    assert await nodes.ask(0)
    nodes.purse.is_late = False
    assert await nodes.ask(0)
    assert nodes.purse.left(KEY, REQUESTS) == pytest.approx(60 - 32)
    assert await nodes.served(40) == 28


async def test_what_could_not_be_told_is_told_later(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Also what was spent before it was lost, and whether or not anybody asks again."""
    nodes = _Nodes(make_bench, None, 60)
    shown = nodes.allowances[0]
    assert shown is not None
    assert shown.tokens is not None
    assert await nodes.ask(0)
    nodes.limits[0].settle(KEY, shown, shown.tokens, 20.0)
    nodes.purse.is_late = True
    assert await nodes.ask(0)
    nodes.purse.is_late = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nodes.limits[0].run)
        await trio.sleep(2 * TELL_S)
        nursery.cancel_scope.cancel()
    used = sum(
        event.usage.input_tokens + event.usage.output_tokens
        for event in nodes.benches[0].events
        if isinstance(event, ExchangeEnded) and event.usage
    )
    assert nodes.purse.left(KEY, TOKENS) == pytest.approx(60 - 20 - used, abs=0.6)


async def test_what_cannot_be_read_counts_as_a_request(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """On all nodes."""
    nodes = _Nodes(make_bench, 2, None)

    async def refuse(_: Exchange) -> None:
        raise RequestRefused("no JSON")

    assert await nodes.ask(0)
    with pytest.raises(RequestRefused):
        await nodes.ask(0, read=refuse)
    shown = nodes.allowances[0]
    assert shown is not None
    await nodes.limits[0].spend(KEY, shown, 0, 0)
    assert not await nodes.ask(1)


async def test_who_has_no_limits_waits_for_nothing(make_bench: Any) -> None:
    """With or without an allowance."""
    nodes = _Nodes(make_bench, None, None)
    for limits in (None, Allowance()):
        nodes.allowances[0] = limits
        assert await nodes.ask(0)
    assert nodes.purse.calls == 0
