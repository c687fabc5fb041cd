"""A load test that cannot go on says why, in one sentence and not in a traceback."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import httpx
import pytest
import trio

from bench.gateway.process import NotRunning
from bench.load import run as load_run
from bench.load.k6 import K6, Figures
from bench.load.nodes import Node, Target, warm_up
from bench.load.plan import Plan
from bench.load.process import Started

PLAN = Plan(users=1, ramp_s=1.0, hold_s=60.0)


@attrs.define
class Ended:
    """A process that has ended."""

    returncode: int = 0
    pid: int = attrs.Factory(os.getpid)

    async def wait(self) -> None:
        """For nothing."""
        await trio.lowlevel.checkpoint()


def _started(folder: Path) -> Started:
    log = folder / "log"
    log.write_text("the last words", encoding="utf-8")
    return Started(cast("trio.Process", Ended()), log)


@attrs.frozen
class BusyK6:
    """One that goes on for longer than a node lasts."""

    started: Started

    async def figures(self, _plan: Plan) -> Figures:
        """Not soon."""
        await trio.sleep_forever()
        raise AssertionError


async def test_a_node_that_dies_under_the_load_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches it finds out first."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={})
        raise httpx.ConnectError("refused")

    @asynccontextmanager
    async def busy(*_: object) -> AsyncIterator[BusyK6]:
        yield BusyK6(_started(tmp_path))

    monkeypatch.setattr(load_run, "running_k6", busy)
    url, transport = "http://localhost", httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url=url, transport=transport) as admin:
        target = Target(url=url, model="m", nodes=[Node("node-1", _started(tmp_path), admin)])
        with pytest.raises(NotRunning, match="node-1 does not answer"):
            await load_run.run_load_test(PLAN, target, tmp_path, sample_s=5.0, tell=print)


async def test_k6_without_a_summary_is_told_with_its_last_words(tmp_path: Path) -> None:
    """It may have ended well, and its disk have been full."""
    k6 = K6(_started(tmp_path), tmp_path / "summary.json")
    with pytest.raises(NotRunning, match="no summary; the end of its log:\nthe last words"):
        await k6.figures(PLAN)


@pytest.mark.real_time
@pytest.mark.parametrize("url", ["nowhere", "http://[::1", "http://127.0.0.1:9"])
async def test_an_address_that_is_none_is_named(url: str) -> None:
    """Before a single user comes."""
    with pytest.raises(NotRunning, match="does not chat: "):
        await warm_up(Target(url=url, model="m"))


async def test_only_the_latest_sample_is_asked_for(tmp_path: Path) -> None:
    """All of them, again and again, would be a load of their own."""
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"samples": [1, 2] if len(asked) > 1 else []})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://localhost", transport=transport) as admin:
        node = Node("node-1", _started(tmp_path), admin)
        assert [await node.latest_sample(5.0) for _ in range(2)] == [None, 2]
    assert all(set(each) == {"since"} for each in asked)
