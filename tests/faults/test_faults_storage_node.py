"""FAULTS rows D1, D4, D5, D6 and D8 on a real node: its chats know nothing of its disk."""

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.daemon import Daemon, running_daemon
from tests.faults.storage_rig import SYNCS
from tests.faults.upstream import until

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S: Final = 60.0
PAGE_BYTES: Final = 4096
MIB: Final = 1024 * 1024

WORKERS: Final = """
[[workers]]
name = "broken"
type = "scripted"
models = ["broken"]
script = [{ fail = "server_error" }]

[[workers]]
name = "well"
type = "scripted"
models = ["well"]
script = [{ say = "all is well" }]

[alerts]
pending_seconds = 0
"""


class Node:
    """The daemon, as clients and operators see it."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.file = daemon.folder / "state" / "dead_letters.db"
        token = (daemon.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
        self._headers = {"authorization": f"Bearer {token}"}

    def chat(self) -> None:
        """Have a whole answer."""
        answer = self._ask("well")
        assert answer.json()["choices"][0]["message"]["content"] == "all is well"

    def fail(self, text: str = "hello") -> str | None:
        """Have a request fail; the id of its letter, if it has one."""
        answer = self._ask("broken", text)
        assert answer.status_code == 502, answer.text
        letter: str | None = answer.headers.get("x-cortexd-dead-letter")
        return letter

    def admin(self, method: str, path: str) -> httpx.Response:
        """One operation."""
        url = self.daemon.admin_url + path
        return httpx.request(method, url, headers=self._headers, timeout=HANGS_S, json={})

    def kept(self) -> set[str]:
        """The ids of the latest letters."""
        return {item["id"] for item in self.daemon.admin("/admin/dlq?limit=200")["items"]}

    @property
    def trouble(self) -> str | None:
        """What operators are told of the place."""
        queue = self.daemon.admin("/admin/dashboard")["dead_letter_queue"]
        told: str | None = queue["stats"]["trouble"]
        return told

    def told(self, event: str) -> list[str]:
        """The reasons of these events about the file."""
        entries = [json.loads(line) for line in self.daemon.log.splitlines()]
        return [
            entry.get("reason", "")
            for entry in entries
            if entry["event"] == event and entry["database"] == self.file.name
        ]

    def is_alerted(self) -> bool:
        """Whether an alert about the file fires."""
        alerts = self.daemon.admin("/admin/alerts")["items"]
        return any(
            alert["target"] == self.file.name and alert["state"] == "firing" for alert in alerts
        )

    def _ask(self, model: str, text: str = "hello") -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        url = self.daemon.url + "/v1/chat/completions"
        return httpx.post(url, json=body, timeout=HANGS_S)


@contextmanager
def _node(folder: Path) -> Iterator[Node]:
    with running_daemon(folder, WORKERS) as daemon:
        yield Node(daemon)


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of its own in the place of the folder."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_d1_a_full_disk_stops_letters_and_nothing_else(tmp_path: Path) -> None:
    """Operators are told, and can still throw letters away; with space, it recovers by itself."""
    state = tmp_path / "state"
    with _small_disk(state, "40m"), _node(tmp_path) as node:
        kept = [node.fail("x" * 100_000) for _ in range(5)]
        assert None not in kept
        filler = state / "filler"
        filler.write_bytes(b"x" * (shutil.disk_usage(state).free - 256 * 1024))

        until(lambda: node.fail("x" * 100_000) is None)

        node.chat()
        assert node.trouble == "the disk is full"
        assert node.told("storage troubled") == ["the disk is full"]
        until(node.is_alerted)
        assert set(kept) <= node.kept()
        for letter in kept:
            assert node.admin("DELETE", f"/admin/dlq/{letter}").json() == {"deleted": True}
        node.chat()
        filler.unlink()
        until(lambda: node.trouble is None)
        assert node.fail() is not None
        assert node.told("storage recovered") == [""]
        assert node.told("storage troubled") == ["the disk is full"]


def test_d4_a_lock_of_another_process_stops_letters_and_nothing_else(tmp_path: Path) -> None:
    """What is there can still be read, what is to be changed is a 503, and then all is well."""
    with _node(tmp_path) as node:
        kept = node.fail()
        assert kept is not None
        other = sqlite3.connect(node.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        assert node.fail() is None
        node.chat()
        until(lambda: node.trouble == "another process has locked it")
        assert node.fail() is None
        node.chat()
        assert kept in node.kept()
        refused = node.admin("DELETE", f"/admin/dlq/{kept}")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "storage_unavailable"
        assert int(refused.headers["retry-after"]) >= 1
        until(node.is_alerted)
        other.execute("ROLLBACK")
        other.close()

        until(lambda: node.trouble is None)
        assert node.fail() is not None
        assert kept in node.kept()


def _overwritten(offset: int, content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(content)

    return damage


def _replaced(path: Path) -> None:
    path.write_bytes(b"no database at all " * 1000)


def _log_damaged(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    assert log.stat().st_size > PAGE_BYTES
    _overwritten(0, os.urandom(PAGE_BYTES))(log)


DAMAGES: Final[dict[str, Callable[[Path], None]]] = {
    "header": _overwritten(0, b"\xff" * 100),
    "page": _overwritten(3 * PAGE_BYTES, b"\xa5" * 6 * PAGE_BYTES),
    "no database": _replaced,
    "log": _log_damaged,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_d5_a_damaged_file_is_set_aside(tmp_path: Path, damage: str) -> None:
    """The node starts, serves, keeps letters in a new file, and says what has happened."""
    with _node(tmp_path) as node:
        for _ in range(20):
            node.fail("x" * 2000)
        if damage != "log":
            node.daemon.stop()  # brings the log home; a kill leaves it where it is
    DAMAGES[damage](node.file)

    with _node(tmp_path) as node:
        node.chat()
        letter = node.fail()
        assert letter is not None
        assert node.kept() == {letter}
        [aside] = [
            path
            for path in node.file.parent.glob("dead_letters.db.corrupt-*")
            if not path.name.endswith(("-wal", "-shm"))
        ]
        assert aside.name in node.told("storage troubled")[0]
        assert aside.name in (node.trouble or "")
        until(node.is_alerted)


def test_d5_a_damaged_letter_costs_no_other(tmp_path: Path) -> None:
    """It is left as it is, and operators know of it; the others are shown, and asked again."""
    with _node(tmp_path) as node:
        letters = [node.fail() for _ in range(3)]
        assert node.daemon.stop() == 0
    with closing(sqlite3.connect(node.file)) as disk, disk:
        # As a cortexd may that is newer, and was stepped back.
        disk.execute("UPDATE letters SET outcome = 'postponed' WHERE id = ?", (letters[1],))

    with _node(tmp_path) as node:
        node.chat()
        until(lambda: node.trouble == "1 letter in it cannot be read, and stays as it is")
        assert node.kept() == {letters[0], letters[2]}
        assert node.daemon.admin("/admin/dlq")["unreadable"] == 1
        until(node.is_alerted)
        retried = node.admin("POST", f"/admin/dlq/{letters[0]}/retry").json()
        assert retried["retries"]["count"] == 1
        assert node.admin("POST", f"/admin/dlq/{letters[1]}/retry").status_code == 503
        assert node.fail() in node.kept()
        assert node.told("storage troubled") == [node.trouble]
        assert not list(node.file.parent.glob("dead_letters.db.corrupt-*"))
        assert node.daemon.stop() == 0
    with closing(sqlite3.connect(node.file)) as disk:
        outcomes = disk.execute("SELECT outcome FROM letters WHERE id = ?", (letters[1],))
        assert outcomes.fetchall() == [("postponed",)]


@pytest.mark.parametrize("companions", [("-shm",), ("-shm", "-wal")], ids=["index", "both"])
def test_d5_what_a_kill_has_left_behind_may_be_missing(
    tmp_path: Path, companions: tuple[str, ...]
) -> None:
    """The index is made again; without its log the file is an older one, and whole."""
    with _node(tmp_path) as node:
        letters = {node.fail() for _ in range(5)}
    for companion in companions:
        node.file.with_name(node.file.name + companion).unlink()

    with _node(tmp_path) as node:
        node.chat()
        assert node.fail() is not None
        if "-wal" not in companions:
            assert letters <= node.kept()
        assert node.trouble is None


def test_d6_a_reader_that_never_ends_does_not_fill_the_disk(tmp_path: Path) -> None:
    """The log may grow to its limit; then letters stop until the reader has gone."""
    with _node(tmp_path) as node:
        assert node.fail() is not None
        reader = sqlite3.connect(node.file, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM letters").fetchall()
        log = node.file.with_name(node.file.name + "-wal")

        until(lambda: node.fail("x" * 900_000) is None)

        node.chat()
        assert "write-ahead log has grown" in (node.trouble or "")
        assert 64 * MIB < log.stat().st_size < 70 * MIB
        until(node.is_alerted)
        reader.close()
        until(lambda: node.trouble is None)
        assert node.fail() is not None
        assert log.stat().st_size <= 8 * MIB


def test_d8_a_slow_disk_slows_no_chat(tmp_path: Path) -> None:
    """While one failed request waits for its syncs, others are answered."""
    with _node(tmp_path) as node, _slow_syncs(node.daemon.process.pid, tmp_path / "strace"):
        waiting = threading.Thread(target=node.fail)
        waiting.start()
        chats = 0
        while waiting.is_alive():
            node.chat()
            chats += waiting.is_alive()
        waiting.join()
        assert chats > 0
    assert "DELAYED" in (tmp_path / "strace").read_text()


@contextmanager
def _slow_syncs(pid: int, log: Path) -> Iterator[None]:
    """Each sync of the process takes half a second more: not so long that nobody waits for it."""
    inject = f"inject={SYNCS}:delay_enter=500000"
    command = ["strace", "-f", "-o", str(log), "-e", f"trace={SYNCS}", "-e", inject]
    with subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        assert "attached" in tracer.stderr.readline()
        try:
            yield
        finally:
            tracer.terminate()
