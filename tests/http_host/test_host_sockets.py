"""Opening the addresses of a listener."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cortexd.runtime.listening_sockets import open_sockets

pytestmark = pytest.mark.real_time


@contextmanager
def _opened(bind: Sequence[str], *, reuse_port: bool = False) -> Iterator[list[socket.socket]]:
    sockets = open_sockets(bind, reuse_port=reuse_port)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_each_address_gets_its_sockets(tmp_path: Path) -> None:
    """All of them listen."""
    with _opened(["127.0.0.1:0", f"unix:{tmp_path / 'a'}", "localhost:0"]) as sockets:
        assert [sock.family for sock in sockets[:2]] == [socket.AF_INET, socket.AF_UNIX]
        assert len(sockets) >= 3
        assert all(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for sock in sockets)


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_ipv6_stands_in_brackets() -> None:
    """And does not take the port of IPv4 along."""
    with _opened(["[::1]:0"]) as sockets:
        assert sockets[0].family == socket.AF_INET6
        assert sockets[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@pytest.mark.parametrize("address", ["", "host", "::1:80", "[::1]", "host:http", "127.0.0.1:"])
def test_what_is_no_address_is_named(address: str) -> None:
    """A configuration error, not an operating one."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        open_sockets([address], reuse_port=False)


def test_an_address_in_use_is_named_and_nothing_stays_open() -> None:
    """Also not what was opened before it."""
    with _opened(["127.0.0.1:0"]) as [taken]:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=address) as caught:
            open_sockets(["127.0.0.1:0", address], reuse_port=False)
    assert caught.value.errno == errno.EADDRINUSE


def test_a_host_that_does_not_resolve_is_named() -> None:
    """As an OSError like any other."""
    with pytest.raises(OSError, match=r"no-such-host\.invalid:80"):
        open_sockets(["no-such-host.invalid:80"], reuse_port=False)


def test_several_nodes_may_share_a_port() -> None:
    """If both ask for it."""
    with _opened(["127.0.0.1:0"], reuse_port=True) as [first]:
        address = f"127.0.0.1:{first.getsockname()[1]}"
        with _opened([address], reuse_port=True) as [second]:
            assert second.getsockname() == first.getsockname()


def test_a_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    """A node that was killed left it there."""
    address = f"unix:{tmp_path / 'admin.sock'}"
    for _ in range(2):
        with _opened([address]) as sockets:
            assert sockets[0].family == socket.AF_UNIX


def test_a_live_socket_file_is_in_use(tmp_path: Path) -> None:
    """Its owner keeps it, also when its backlog is full."""
    address = f"unix:{tmp_path / 'admin.sock'}"
    with _opened([address]), pytest.raises(OSError, match=r"admin\.sock") as caught:
        open_sockets([address], reuse_port=False)
    assert caught.value.errno == errno.EADDRINUSE


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    """A typing error must not cost anybody a file."""
    path = tmp_path / "precious"
    path.write_text("data", encoding="ascii")
    with pytest.raises(OSError, match="precious"):
        open_sockets([f"unix:{path}"], reuse_port=False)
    assert path.read_text(encoding="ascii") == "data"
