"""When workers of one name on two nodes are the same worker.

A server is the same if it is reached by the same address; one on the node's own machine is another
one on each machine. What runs inside the nodes is the same if it does the same: a client cannot
tell which node's it was.
"""

import hashlib
import ipaddress
from urllib.parse import urlsplit

from cortexd.domain.cluster import Identity
from cortexd.domain.worker import WorkerSettings

_DIGEST_BYTES = 8


def identity(settings: WorkerSettings, *, place: str) -> Identity:
    """`place`: what tells the node's own network, its loopback, from that of others."""
    url = settings.base_url or ""
    where = place if is_loopback(url) else ""
    text = "\0".join((settings.type.value, url.rstrip("/"), where))
    return Identity(hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest())


def is_loopback(url: str) -> bool:
    """Whether only the node's own machine is reached by it."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
