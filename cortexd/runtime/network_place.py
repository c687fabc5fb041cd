"""Which loopback is ours: two nodes with the same one reach the same servers at 127.0.0.1."""

import socket
from pathlib import Path
from typing import Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE: Final = Path("/proc/self/ns/net")


def network_place() -> str:
    """This boot of this machine and the network namespace in it (namespaces(7), random(4)).

    The machine's name where there is no such thing.
    """
    try:
        return f"{_BOOT.read_text(encoding='ascii').strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return socket.gethostname()
