"""What must be had before the node may start: its addresses and its admin token."""

import socket
from collections.abc import Sequence
from pathlib import Path

import attrs

from cortexd.config.schema import Config
from cortexd.domain.secret import Secret
from cortexd.runtime import admin_token
from cortexd.runtime.listening_sockets import open_sockets


@attrs.frozen(kw_only=True, eq=False)
class Listening:
    """Open sockets, which outlive every incarnation of the doors, and the key to the admin one.

    `token_file` is `None` where the token came from the configuration.
    """

    data: Sequence[socket.socket]
    admin: Sequence[socket.socket]
    token: Secret
    token_file: Path | None

    @property
    def data_addresses(self) -> list[str]:
        """Where clients chat, as URLs."""
        return [_url(sock) for sock in self.data]

    @property
    def admin_addresses(self) -> list[str]:
        """Where operators look, as URLs."""
        return [_url(sock) for sock in self.admin]

    def close_data(self) -> None:
        """Let go of the clients' addresses: with the door closed, new clients are refused at once.

        Otherwise they would wait in the kernel's queue for a door that does not open again.
        """
        for sock in self.data:
            sock.close()


def listen(config: Config) -> Listening:
    """Open everything. Errors: `OSError` that names the address or file which cannot be had."""
    data = open_sockets(config.data.bind, reuse_port=config.data.reuse_port)
    admin = open_sockets(config.admin.bind, reuse_port=False)
    if config.admin.token is not None:
        return Listening(data=data, admin=admin, token=config.admin.token, token_file=None)
    token, path = admin_token.load_or_make(config.node.state_dir)
    return Listening(data=data, admin=admin, token=token, token_file=path)


def _url(sock: socket.socket) -> str:
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"http://{host}:{port}"
