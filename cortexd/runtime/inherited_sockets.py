"""Listening sockets that the service manager has opened: socket activation.

The protocol is that of sd_listen_fds(3): descriptors from 3 on, as many as `LISTEN_FDS` says, with
names in `LISTEN_FDNAMES`. Here `data` is for clients and `admin` for operators.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Final

FIRST_DESCRIPTOR: Final = 3


def inherited_sockets(environment: Mapping[str, str]) -> dict[str, Sequence[socket.socket]]:
    """The sockets by name; none where they are meant for another process.

    Errors: `OSError` for a name that means nothing here, or a descriptor that is no socket.
    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not count.isdigit():
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = {}
    for place in range(int(count)):
        name = names[place] if place < len(names) else ""
        if name not in {"data", "admin"}:
            raise OSError(
                None,
                f"inherited socket {place + 1} is named {name!r}: give the socket unit "
                "FileDescriptorName=data or FileDescriptorName=admin",
            )
        sock = socket.socket(fileno=FIRST_DESCRIPTOR + place)
        sock.set_inheritable(False)
        found.setdefault(name, []).append(sock)
    return dict(found)
