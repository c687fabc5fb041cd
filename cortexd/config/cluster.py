"""What has to fit together for a node to be part of a cluster."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from cortexd.config.sections import Complaint, Draft

NAME_CHARACTERS_MAX: Final = 128

BEATS_PER_LEASE_MIN: Final = 3
"""One of them may be lost, and the next still comes in time."""

_SCHEMES: Final = frozenset({"redis", "rediss"})


def check_cluster(cluster: Draft, node: Draft) -> Iterator[Complaint]:
    """There are beats enough in a lease; the address is one of Redis, and the library is there."""
    beat, lease = cluster.get("beat_seconds"), cluster.get("lease_seconds")
    if beat is not None and lease is not None and beat * BEATS_PER_LEASE_MIN > lease:
        # Whichever was written is the one to look at.
        key = "beat_seconds" if "beat_seconds" in cluster.set_here else "lease_seconds"
        text = "beat_seconds must be at most a third of lease_seconds"
        yield (*cluster.path, key), f"{text} (they are {beat:g} and {lease:g})"
    url = cluster.get("redis_url")
    if url is None:
        return
    if url.scheme not in _SCHEMES:
        yield (*cluster.path, "redis_url"), "must begin with redis:// or rediss://"
    if url.path and not url.path.isdecimal():
        yield (*cluster.path, "redis_url"), "must end with the number of a database, or without one"
    if find_spec("coredis") is None:
        yield (*cluster.path, "redis_url"), "needs one more package: pip install 'cortexd[cluster]'"
    for draft in (cluster, node):
        name = draft.get("name")
        if name is not None and (len(name) > NAME_CHARACTERS_MAX or not name.isprintable()):
            text = f"must be {NAME_CHARACTERS_MAX} printable characters at most for a cluster"
            yield (*draft.path, "name"), text
