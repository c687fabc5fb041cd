"""A link to a Redis of the tests, up."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from cortexd.cluster.redis_link import RedisLink
from cortexd.domain.events import Event
from cortexd.domain.server_url import ServerUrl
from tests.servers.redis import RedisServer

HANGS_S = 20.0


@asynccontextmanager
async def linked(redis: RedisServer, events: list[Event] | None = None) -> AsyncIterator[RedisLink]:
    """The link of a node, until the block ends."""
    link = RedisLink(
        ServerUrl(scheme="redis", host="127.0.0.1", port=redis.port),
        client_name="test",
        chance=random.Random(1),  # noqa: S311  waits, no secret
        emit=([] if events is None else events).append,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await wait_up(link)
        yield link
        nursery.cancel_scope.cancel()


async def wait_up(link: RedisLink, *, is_up: bool = True) -> None:
    """Until it is."""
    with trio.fail_after(HANGS_S):
        while link.is_up is not is_up:  # noqa: ASYNC110  the hot path asks it, too
            await trio.sleep(0.01)
