"""FAULTS rows P8, P9, D2, D3 and D9: what was acknowledged is on disk, whatever dies or fails."""

import os
import random
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.daemon import running_daemon
from tests.faults.storage_rig import check_whole, injecting, writer

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    pytest.mark.usefixtures("unmeasured"),
]

SEED: Final = 20261121
KILLS: Final = 100
STARTS: Final = 40
NODE_KILLS: Final = 8
CLIENTS: Final = 4
WRITES: Final = 200

WORKERS: Final = """
[[workers]]
name = "broken"
type = "scripted"
script = [{ fail = "server_error" }]
"""


def _chance() -> random.Random:
    return random.Random(SEED)  # noqa: S311  it has to come again, not to be secret


def test_p8_a_hundred_kills_under_writes_lose_nothing(tmp_path: Path) -> None:
    """Each after another number of acknowledgements, over one and the same file."""
    chance, path = _chance(), tmp_path / "dead_letters.db"
    with writer("--breed") as breeder:
        for _ in range(KILLS):
            _one_life(breeder, path, acknowledgements=chance.randrange(60))
    assert len(breeder.acknowledged) > KILLS
    assert breeder.failures == []
    check_whole(path, breeder.acknowledged)


def test_p9_a_kill_during_start_migration_or_checkpoint_is_no_end(tmp_path: Path) -> None:
    """The next start works, with a file that was left at any moment of its making."""
    chance = _chance()
    with writer("--breed") as breeder:
        for number in range(STARTS):
            path = tmp_path / f"{number}" / "dead_letters.db"
            before = len(breeder.acknowledged)
            _one_life(breeder, path, acknowledgements=0, pause_s=chance.random() * 0.05)
            _one_life(breeder, path, acknowledgements=1)
            check_whole(path, breeder.acknowledged[before:])


def _one_life(breeder: Any, path: Path, *, acknowledgements: int, pause_s: float = 0.0) -> None:
    breeder.process.stdin.write(f"{path}\n")
    breeder.process.stdin.flush()
    pid = int(breeder.line().removeprefix("pid "))
    enough = len(breeder.acknowledged) + acknowledgements
    breeder.read_until(lambda it: len(it.acknowledged) >= enough)
    time.sleep(pause_s)  # the moment of the kill, not a wait for anything
    os.kill(pid, signal.SIGKILL)
    while (line := breeder.line()) != "dead":
        breeder.take(line)


def test_p3_p8_a_node_killed_again_and_again_keeps_what_it_has_named(tmp_path: Path) -> None:
    """Every id that a client has seen in an answer is there after the last kill.

    The kernel kills in the same way a process that has taken too much memory (P3).
    """
    chance = _chance()
    named: list[str] = []
    for _ in range(NODE_KILLS):
        with running_daemon(tmp_path, WORKERS) as daemon:
            enough = len(named) + chance.randrange(1, 40)
            clients = [
                threading.Thread(target=_fail_until_dead, args=(daemon.url, named))
                for _ in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            while len(named) < enough:
                time.sleep(0.001)
            daemon.process.kill()
            for client in clients:
                client.join()

    with running_daemon(tmp_path, WORKERS) as daemon:
        stats = daemon.admin("/admin/dlq?limit=1")
        assert stats["total"] >= len(named)
        kept = {daemon.admin(f"/admin/dlq/{letter}")["id"] for letter in named}
        assert kept == set(named)
    assert not list((tmp_path / "state").glob("*.corrupt-*"))


def _fail_until_dead(url: str, named: list[str]) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
    with httpx.Client() as client:
        try:
            while True:
                answer = client.post(url + "/v1/chat/completions", json=body, timeout=20)
                named.append(answer.headers["x-cortexd-dead-letter"])
        except httpx.TransportError:
            pass  # it has been killed


def test_d2_a_failed_sync_is_not_acknowledged(tmp_path: Path) -> None:
    """Every tenth sync fails: those letters are said to have failed, and the next ones are kept."""
    path, log = tmp_path / "dead_letters.db", tmp_path / "strace"
    with writer(str(path), under=injecting("error=EIO:when=7+10", log)) as failing:
        failing.read_until(lambda it: len(it.failures) > 60 and len(it.acknowledged) > 60)
    assert "EIO" in log.read_text()
    assert any("disk I/O error" in failure for failure in failing.failures)
    check_whole(path, failing.acknowledged)


@pytest.mark.parametrize("number", range(1, WRITES + 1, 10))
def test_d3_no_space_at_the_nth_write_loses_nothing(tmp_path: Path, number: int) -> None:
    """Whatever that write is part of: the making of the file, a letter, a checkpoint."""
    path, log = tmp_path / "dead_letters.db", tmp_path / "strace"
    fails = injecting(f"error=ENOSPC:when={number}", log, calls="pwrite64")
    with writer(str(path), under=fails) as failing:
        failing.read_until(lambda it: it.failures)
        before = len(failing.acknowledged)
        failing.read_until(lambda it: len(it.acknowledged) > before + 100)
    assert log.read_text().count("ENOSPC") == 1
    check_whole(path, failing.acknowledged)


def test_d9_what_is_acknowledged_has_been_synced(tmp_path: Path) -> None:
    """A loss of power takes what was written and not synced: at no acknowledgement is there any."""
    path, log = tmp_path / "dead_letters.db", tmp_path / "strace"
    calls = "pwrite64,write,fsync,fdatasync"
    trace = ("strace", "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={calls}")
    with writer(str(path), "1", under=trace) as traced:
        traced.read_until(lambda it: len(it.acknowledged) > 100)

    acknowledged, is_synced = 0, False
    for line in log.read_text().splitlines():
        if re.search(r"pwrite64\(\d+<[^>]*-wal>", line):
            is_synced = False
        elif re.search(r"sync\(\d+<[^>]*-wal>.*= 0", line):
            is_synced = True
        elif re.search(r'write\(1<[^>]*>, "dl-', line):
            assert is_synced
            acknowledged += 1
    assert acknowledged > 100
