"""The node under a service manager: what it tells, and the sockets that it is given."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.daemon import UNMEASURED, running_daemon

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

WORKER = """
[[workers]]
name = "script"
type = "scripted"
models = ["m"]
script = [{ say = "yes" }]
"""
HANGS_S = 30.0


class Manager:
    """Stands for systemd: a socket, and what was told there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(HANGS_S)

    def wait_for(self, beginning: str) -> str:
        """The next line that begins so."""
        while True:
            lines = self._socket.recv(4096).decode().splitlines()
            self.told += lines
            for line in lines:
                if line.startswith(beginning):
                    return line

    def close(self) -> None:
        """Listen no longer."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Somebody who listens."""
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_the_manager_is_told_of_the_whole_life(tmp_path: Path, manager: Manager) -> None:
    """Ready once it serves, alive all the time, how it is, and that it stops; in this order."""
    environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "300000"}
    with running_daemon(tmp_path, WORKER, environ=environ) as daemon:
        manager.wait_for("READY=1")
        assert httpx.get(f"{daemon.url}/livez", timeout=HANGS_S).status_code == httpx.codes.OK
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        assert "1 of 1 workers available" in manager.wait_for("STATUS=serving")
        assert daemon.stop() == 0
        manager.wait_for("STOPPING=1")
    assert manager.told.index("READY=1") < manager.told.index("STOPPING=1")


def test_a_stalled_node_gives_no_sign_of_life(tmp_path: Path, manager: Manager) -> None:
    """The signs come from the event loop: when that stands still, so do they."""
    environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "300000"}
    with running_daemon(tmp_path, WORKER, environ=environ) as daemon:
        manager.wait_for("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGSTOP)
        manager._socket.settimeout(1.5)
        with pytest.raises(TimeoutError):
            while True:
                manager.wait_for("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGCONT)
        manager._socket.settimeout(HANGS_S)
        manager.wait_for("WATCHDOG=1")


def test_a_manager_that_does_not_listen_is_no_concern(tmp_path: Path, manager: Manager) -> None:
    """Its queue is full, or it is gone."""
    environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "3000"}
    with running_daemon(tmp_path, WORKER, environ=environ) as daemon:
        manager.close()
        assert httpx.get(f"{daemon.url}/livez", timeout=HANGS_S).status_code == httpx.codes.OK
        assert daemon.stop() == 0


def test_the_clients_address_can_be_a_socket_that_was_given(tmp_path: Path) -> None:
    """What the kernel has queued before the node was there is answered, too."""
    config = tmp_path / "cortexd.toml"
    config.write_text(
        f'[node]\nstate_dir = "{tmp_path}/state"\n[admin]\nbind = ["127.0.0.1:0"]\n{WORKER}',
        encoding="utf-8",
    )
    with socket.create_server(("127.0.0.1", 0)) as given:
        early = socket.create_connection(given.getsockname(), timeout=HANGS_S)
        early.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        command = f'exec "{sys.executable}" -m cortexd --config "{config}"'
        process = subprocess.Popen(  # descriptors from 3 on, as a service manager has it
            ["/bin/bash", "-c", f"exec 3<&{given.fileno()}; LISTEN_PID=$$ {command}"],
            env=os.environ | UNMEASURED | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "data"},
            pass_fds=[given.fileno()],
            stdout=subprocess.DEVNULL,
        )
        try:
            with early:
                assert early.recv(4096).startswith(b"HTTP/1.1 200 ")
        finally:
            process.terminate()
            assert process.wait(HANGS_S) == 0


def test_a_given_socket_without_a_known_name_is_refused(tmp_path: Path) -> None:
    """With what would be right in the message."""
    config = tmp_path / "cortexd.toml"
    config.write_text(f'[node]\nstate_dir = "{tmp_path}/state"\n{WORKER}', encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as given:
        command = f'exec "{sys.executable}" -m cortexd --config "{config}"'
        ended = subprocess.run(
            ["/bin/bash", "-c", f"exec 3<&{given.fileno()}; LISTEN_PID=$$ {command}"],
            env=os.environ | UNMEASURED | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "other"},
            pass_fds=[given.fileno()],
            capture_output=True,
            text=True,
            timeout=HANGS_S,
            check=False,
        )
    assert ended.returncode == os.EX_CONFIG
    assert "FileDescriptorName=data" in ended.stderr
