"""The metrics on disk: they come back with the node, and a file in trouble harms nobody."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from cortexd.domain.node_sample import NodeSample
from cortexd.runtime.metrics import FILE_NAME
from cortexd.storage.database import Database
from cortexd.storage.metrics_history import MIGRATIONS, StoredMetricsHistory
from tests.daemon import Daemon, running_daemon

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

WORKER = """
[[workers]]
name = "talker"
type = "scripted"
script = [{ say = "hello" }]
"""

HOUR_S = 3600.0


async def _write(state: Path, samples: list[NodeSample]) -> None:
    database = Database(state / FILE_NAME, MIGRATIONS, durable=False)
    await StoredMetricsHistory(database, samples_s=HOUR_S, minutes_s=24 * HOUR_S).keep(samples)
    await database.aclose()


def _chats(node: Daemon) -> bool:
    document = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
    return httpx.post(f"{node.url}/v1/chat/completions", json=document).status_code == 200


def _chart(node: Daemon, query: str) -> Any:
    return node.admin(f"/admin/metrics/history?series=in_flight&{query}")["series"]["in_flight"]


def test_a_node_that_starts_again_has_its_charts(tmp_path: Path) -> None:
    """Those of the last hour by the sample, those of the day before by the minute."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    now = time.time()
    ages = [*range(5 * 3600, 4 * 3600, -5), *range(600, 300, -5)]
    samples = [NodeSample(at=now - age, in_flight=age) for age in ages]
    trio.run(partial(_write, state, samples[:700]))
    trio.run(partial(_write, state, samples[700:]))
    with running_daemon(tmp_path, WORKER) as node:
        node.wait_available("talker")
        while len(_chart(node, f"since={now - HOUR_S}")) < 60:
            time.sleep(0.05)
        day = _chart(node, f"since={now - 24 * HOUR_S}")
        assert 59 <= len([at for at, _ in day if at < now - 2 * HOUR_S]) <= 61


@pytest.mark.parametrize("trouble", ["garbage", "a folder", "empty"])
def test_a_file_in_trouble_harms_nobody(tmp_path: Path, trouble: str) -> None:
    """The node starts, chats, shows what it measures, and stops as if nothing was the matter."""
    file = tmp_path / "state" / FILE_NAME
    file.parent.mkdir(mode=0o700)
    if trouble == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"" if trouble == "empty" else b"no database \x00" * 1000)
    with running_daemon(tmp_path, WORKER) as node:
        node.wait_available("talker")
        assert _chats(node)
        assert node.admin("/admin/metrics/history?since=0")["step_seconds"] == 5.0
        assert node.admin("/admin/dashboard")["performance"]["tasks"] > 0
        assert node.stop() == 0
