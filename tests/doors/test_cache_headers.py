"""A client's wishes on their way into the pipeline, and the cache's part on its way out."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from cortexd.domain.answer import Batch, Finished, FinishReason, TextDelta
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import NodeStopping
from cortexd.domain.ids import WorkerName
from cortexd.http.doors.anthropic import anthropic_messages_door
from cortexd.http.doors.door import Door
from cortexd.http.doors.ollama import ollama_chat_door
from cortexd.http.doors.openai import openai_chat_door
from cortexd.http.doors.request_headers import read_tenant
from cortexd.pipeline.exchange import CacheWishes, Exchange

JSON = {"content-type": "application/json"}
ANSWER: Batch = (TextDelta("hi"), Finished(FinishReason.STOP))


@attrs.define(eq=False)
class Service:
    """Answers, or fails, having made some use of the cache."""

    use: CacheUse = CacheUse.BYPASS
    fails: bool = False
    seen: list[Exchange] = attrs.Factory(list)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer at once."""
        if exchange.read is not None:
            await exchange.read(exchange)
        self.seen.append(exchange)
        exchange.cache = self.use
        exchange.trail.worker, exchange.trail.model = WorkerName("w"), "m"
        if self.fails:
            raise NodeStopping("stopping")
        await exchange.downstream.send(ANSWER)


def _openai(service: Service) -> Door:
    return openai_chat_door(service, new_id=lambda: "i", wall_clock=lambda: 0.0)


def _ollama(service: Service) -> Door:
    return ollama_chat_door(service, new_id=lambda: "i", wall_clock=lambda: 0.0, clock=lambda: 0.0)


def _anthropic(service: Service) -> Door:
    return anthropic_messages_door(service, new_id=lambda: "i")


DOORS = [_openai, _ollama, _anthropic]


def _document(*, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hello"}]
    return {"model": "m", "max_tokens": 9, "messages": messages, "stream": stream}


@pytest.mark.parametrize("make_door", DOORS)
@pytest.mark.parametrize("use", CacheUse)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_says_what_the_cache_had_to_do_with_it(
    ask: Any, make_door: Callable[[Service], Door], use: CacheUse, *, stream: bool
) -> None:
    """As a stream or whole, in every dialect."""
    answered = await ask(make_door(Service(use)), _document(stream=stream))
    assert answered.status == 200
    assert answered.headers["x-cortexd-cache"] == use.value
    assert answered.headers["x-cortexd-worker"] == "w"


@pytest.mark.parametrize("make_door", DOORS)
async def test_so_does_an_error(ask: Any, make_door: Callable[[Service], Door]) -> None:
    """It may be that of an equal request."""
    answered = await ask(make_door(Service(CacheUse.HIT, fails=True)), _document(stream=True))
    assert answered.status == 503
    assert answered.headers["x-cortexd-cache"] == "hit"


@pytest.mark.parametrize("make_door", DOORS)
async def test_the_pipeline_hears_the_clients_wishes_and_who_it_is(
    ask: Any, make_door: Callable[[Service], Door]
) -> None:
    """But nothing of its credential."""
    service = Service()
    about = {"cache-control": "no-cache", "idempotency-key": "k", "authorization": "Bearer secret"}
    await ask(make_door(service), _document(stream=False), headers=JSON | about)
    await ask(make_door(service), _document(stream=False))
    one, other = service.seen
    assert one.wishes == CacheWishes(may_read=False, idempotency_key="k")
    assert one.tenant == read_tenant(about) != ""
    assert other.wishes == CacheWishes()
    assert other.tenant == ""


@pytest.mark.parametrize("make_door", DOORS)
async def test_a_wrong_idempotency_key_never_reaches_the_pipeline(
    ask: Any, make_door: Callable[[Service], Door]
) -> None:
    """It is refused with its name."""
    service = Service()
    answered = await ask(
        make_door(service), _document(stream=False), headers=JSON | {"idempotency-key": "x" * 256}
    )
    assert answered.status == 400
    assert service.seen == []
    assert b"idempotency-key" in b"".join(answered.writes)
