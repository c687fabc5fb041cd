"""What must be had before the node may start: its addresses and its admin token."""

import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import attrs

from cortexd.config.schema import Config
from cortexd.domain.secret import Secret
from cortexd.runtime.inherited_sockets import inherited_sockets
from cortexd.runtime.kept_secrets import ADMIN_TOKEN, KEY_PEPPER, load_or_make
from cortexd.runtime.listening_sockets import open_sockets


@attrs.frozen(kw_only=True, eq=False)
class Listening:
    """Open sockets, which outlive every incarnation of the doors, and the key to the admin one.

    `token_file` is `None` where the token came from the configuration. `pepper`: what client keys
    are kept with.
    """

    data: Sequence[socket.socket]
    admin: Sequence[socket.socket]
    token: Secret
    token_file: Path | None
    pepper: Secret

    @property
    def is_public(self) -> bool:
        """Whether others than this machine's own programs can reach the clients' addresses."""
        return not all(_is_private(sock) for sock in self.data)

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
    """Open everything, but for what the service manager has opened.

    Errors: `OSError` that names the address or file which cannot be had.
    """
    given = inherited_sockets(os.environ)
    data = given.get("data") or open_sockets(config.data.bind, reuse_port=config.data.reuse_port)
    admin = given.get("admin") or open_sockets(config.admin.bind, reuse_port=False)
    state_dir, token, token_file = config.node.state_dir, config.admin.token, None
    if token is None:
        token_file = state_dir / ADMIN_TOKEN
        token = load_or_make(token_file)
    pepper = config.data.key_pepper or load_or_make(state_dir / KEY_PEPPER)
    return Listening(data=data, admin=admin, token=token, token_file=token_file, pepper=pepper)


def _is_private(sock: socket.socket) -> bool:
    if sock.family == socket.AF_UNIX:
        return True
    return ipaddress.ip_address(sock.getsockname()[0].partition("%")[0]).is_loopback


def _url(sock: socket.socket) -> str:
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"http://{host}:{port}"
