"""What things are called in Redis."""


def key(cluster: str, *parts: str) -> str:
    """A name of this cluster's; the braces keep all of them on one node of a Redis Cluster."""
    return ":".join((f"cortexd:{{{cluster}}}", *parts))
