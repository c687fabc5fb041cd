"""Whether others than this machine's own programs can reach the clients' addresses."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from cortexd.domain.secret import Secret
from cortexd.runtime.listening import Listening
from cortexd.runtime.listening_sockets import open_sockets


@pytest.fixture
def unix_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """One that a service manager may hand over."""
    [sock] = open_sockets([f"unix:{tmp_path_factory.mktemp('s')}/data"], reuse_port=False)
    with closing(sock):
        yield sock


@pytest.mark.parametrize(
    ("bind", "is_public"),
    [
        (["127.0.0.1:0"], False),
        (["127.9.9.9:0"], False),
        (["0.0.0.0:0"], True),
        (["127.0.0.1:0", "0.0.0.0:0"], True),
    ],
)
def test_it_is_told_by_the_sockets(
    unix_socket: socket.socket,
    bind: list[str],
    is_public: bool,  # noqa: FBT001  a column
) -> None:
    """And not by the configuration, which knows nothing of sockets that were handed over."""
    opened = open_sockets(bind, reuse_port=False)
    listening = Listening(
        data=[unix_socket, *opened],
        admin=[],
        token=Secret("t"),
        token_file=None,
        pepper=Secret("p"),
    )
    assert listening.is_public is is_public
    for sock in opened:
        sock.close()
