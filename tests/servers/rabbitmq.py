"""A RabbitMQ of the tests' own: private ports, name and folder, stopped in the end.

It starts Debian's server as a child of its own, beside whatever else runs on the machine: with an
Erlang port mapper on a port of its own, and nothing in /var or /etc read or written.
"""

import atexit
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs

from tests.servers.redis import free_port

PROGRAMS: Final = Path("/usr/lib/rabbitmq/bin")

READY_S_MAX: Final = 90.0
"""A limit for what hangs: Erlang takes its time to start on a machine that is busy."""

CONFIG: Final = """
loopback_users.guest = false
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 1MB
log.console = false
log.file.level = warning
collect_statistics_interval = 60000
management_agent.disable_metrics_collector = true
"""

# One scheduler of each kind, and none that spins: tests run side by side.
_ERLANG: Final = "+S 1:1 +SDcpu 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none"


@attrs.define(eq=False)
class RabbitServer:
    """A running `rabbitmq-server` that can be killed, frozen and started again on its port."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    environ: dict[str, str]

    @property
    def url(self) -> str:
        """Where it is; the user `guest` may do everything."""
        return f"amqp://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As by SIGKILL; what is durable is kept."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Again, on the same port and with what it has kept."""
        self.process = _started(self.folder, self.environ, self.port)

    def freeze(self) -> None:
        """Let it neither answer nor refuse anything."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def raise_alarm(self) -> None:
        """Let it take nothing for want of memory, until that is over."""
        self.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0)")

    def end_alarm(self) -> None:
        """Let it have memory again."""
        self.evaluate("vm_memory_monitor:set_vm_memory_high_watermark({absolute, 1000000000})")

    def add_powerless_user(self, name: str) -> None:
        """Whose password is its name, and who may do nothing."""
        user, none = f'<<"{name}">>', '<<"^$">>'
        self.evaluate(f"rabbit_auth_backend_internal:add_user({user}, {user}, {user})")
        rights = f'{user}, <<"/">>, {none}, {none}, {none}, {user}'
        self.evaluate(f"rabbit_auth_backend_internal:set_permissions({rights})")

    @contextmanager
    def listening_over_tls(self, pem: Path) -> Iterator[str]:
        """Be there over TLS as well, until the block ends or it is killed; gives the address.

        `pem`: the key and the certificate, which may be others after `renew_certificates`.
        """
        port, certificate = free_port(), f'[{{certfile, "{pem}"}}, {{keyfile, "{pem}"}}]'
        listener = f'{{"127.0.0.1", {port}}}'
        self.evaluate(f"ok = rabbit_networking:start_ssl_listener({listener}, {certificate}, 1)")
        try:
            yield f"amqps://localhost:{port}"
        finally:
            self.evaluate(f"rabbit_networking:stop_tcp_listener({listener})")

    def renew_certificates(self) -> None:
        """Read their files anew, and have all who are connected come again."""
        self.evaluate("ssl:clear_pem_cache()")
        self.evaluate('rabbit_networking:close_all_user_connections(<<"guest">>, <<"renewed">>)')

    def evaluate(self, code: str) -> None:
        """Run Erlang code in the server: without rabbitmqctl, which takes seconds to start."""
        cookie = (self.folder / ".erlang.cookie").read_text(encoding="ascii")
        name = self.environ["RABBITMQ_NODENAME"]
        done = subprocess.run(
            ["erl_call", "-n", name, "-c", cookie, "-e"],
            capture_output=True,
            check=False,
            env=self.environ,
            input=f"{code}.\n",
            text=True,
            timeout=READY_S_MAX,
        )
        assert done.stdout.startswith("{ok"), done.stdout + done.stderr

    def control(self, *words: str) -> str:
        """What `rabbitmqctl` says to a command."""
        done = subprocess.run(
            [PROGRAMS / "rabbitmqctl", "-q", "-n", self.environ["RABBITMQ_NODENAME"], *words],
            capture_output=True,
            check=False,
            env=self.environ,
            text=True,
            timeout=READY_S_MAX,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RabbitServer]:
    """A server for the length of the block."""
    port, mapper_port = free_port(), free_port()
    environ = _environ(folder, port, mapper_port)
    mapper = subprocess.Popen(
        ["epmd", "-port", str(mapper_port), "-address", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        # Without one, the server would start one of its own, and leave it behind.
        _wait_for(mapper_port)
        server = RabbitServer(folder, port, _started(folder, environ, port), environ)
        try:
            yield server
        finally:
            server.thaw()
            server.kill()
    finally:
        mapper.kill()
        mapper.wait()


@cache
def the_rabbitmq() -> RabbitServer:
    """The server of this process of pytest: started when it is first wanted, stopped at its end."""
    stack = ExitStack()
    atexit.register(stack.close)
    # What it leaves behind is no reason for a process of tests to fail at its very end.
    scratch = TemporaryDirectory(prefix="rabbitmq-", ignore_cleanup_errors=True)
    folder = stack.enter_context(scratch)
    return stack.enter_context(running_rabbitmq(Path(folder)))


def _environ(folder: Path, port: int, mapper_port: int) -> dict[str, str]:
    (folder / "rabbitmq.conf").write_text(CONFIG, encoding="utf-8")
    (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_MAX_PORTS": "4096",
        "RABBITMQ_NODENAME": f"tests{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        # The shell in between gives way to the server, so that signals reach that.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def _started(folder: Path, environ: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    program = PROGRAMS / "rabbitmq-server"
    assert program.exists(), "rabbitmq-server is missing: requirements/debian installs it"
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            [program],
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    limit = time.monotonic() + READY_S_MAX
    while time.monotonic() < limit and process.poll() is None:
        if _listens(port):
            return process
        time.sleep(0.05)
    process.kill()
    process.wait()
    told = (folder / "output").read_text(encoding="utf-8", errors="replace")
    raise AssertionError(f"rabbitmq-server did not start: {told}")


def _wait_for(port: int) -> None:
    limit = time.monotonic() + READY_S_MAX
    while time.monotonic() < limit:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise AssertionError("epmd did not start")


def _listens(port: int) -> bool:

    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            # It is up once it answers in its own protocol.
            probe.settimeout(5)
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(probe.recv(1))
    except OSError:
        return False
