"""Opens the addresses a listener is bound to. They outlive the listener, which may be restarted."""

import errno
import os
import re
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

BACKLOG_CONNECTIONS_MAX = 1024
UNIX_UMASK = 0o117  # leaves 0660: the owner and its group

_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_HOST_PORT = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


Target: TypeAlias = tuple[Any, ...]
"""A socket address, whose parts depend on the family."""


def open_sockets(bind: Sequence[str], *, reuse_port: bool) -> list[socket.socket]:
    """Listening sockets for `HOST:PORT`, `[IPV6]:PORT` and `unix:PATH`; an empty HOST means all.

    Errors: `OSError` that names the address which cannot be had, `ValueError` for one that is none
    of the three forms; no socket stays open then.
    """
    with ExitStack() as undo:
        opened = [sock for address in bind for sock in _open(address, undo, reuse_port=reuse_port)]
        undo.pop_all()
    return opened


def _open(address: str, undo: ExitStack, *, reuse_port: bool) -> list[socket.socket]:
    try:
        if address.startswith("unix:"):
            return [_open_unix(Path(address.removeprefix("unix:")), undo)]
        return _open_tcp(address, undo, reuse_port=reuse_port)
    except OSError as exc:
        raise OSError(exc.errno, f"{address}: {exc.strerror or exc}") from exc


def _open_tcp(address: str, undo: ExitStack, *, reuse_port: bool) -> list[socket.socket]:
    opened: list[socket.socket] = []
    absent: OSError | None = None
    for family, target in _resolved(address):
        with ExitStack() as attempt:
            try:
                sock = attempt.enter_context(socket.socket(family, socket.SOCK_STREAM))
                _listen_tcp(sock, target, reuse_port=reuse_port)
            except OSError as exc:
                # "localhost" may have an IPv6 address on a machine that has IPv6 switched off.
                if exc.errno not in _NOT_HERE:
                    raise
                absent = exc
                continue
            attempt.pop_all()
        opened.append(undo.enter_context(sock))
    if not opened and absent is not None:
        raise absent
    return opened


def _resolved(address: str) -> Iterator[tuple[socket.AddressFamily, Target]]:
    match = _HOST_PORT.fullmatch(address)
    if match is None:
        raise ValueError(f"{address!r} is none of HOST:PORT, [IPV6]:PORT and unix:PATH")
    host = match["ipv6"] or match["host"] or None
    flags = socket.AI_PASSIVE
    found = socket.getaddrinfo(host, int(match["port"]), type=socket.SOCK_STREAM, flags=flags)
    for family, _, _, _, target in found:
        yield family, target


def _listen_tcp(sock: socket.socket, target: Target, *, reuse_port: bool) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        # Both families of a name, or of "all", are bound one by one.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(target)
    sock.listen(BACKLOG_CONNECTIONS_MAX)


def _open_unix(path: Path, undo: ExitStack) -> socket.socket:
    _remove_if_stale(path)
    sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    # A mode set after bind would leave a moment in which anybody may connect.
    umask = os.umask(UNIX_UMASK)
    try:
        sock.bind(str(path))
        sock.listen(BACKLOG_CONNECTIONS_MAX)
    finally:
        os.umask(umask)
    return sock


def _remove_if_stale(path: Path) -> None:
    """Remove the socket file of a process that has died; anything else is left for bind to find."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            pass  # its backlog is full, so somebody listens
