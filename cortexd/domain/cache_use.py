"""What the cache had to do with an answer."""

from enum import Enum, unique


@unique
class CacheUse(Enum):
    """The value is what the client is told in `x-cortexd-cache`."""

    HIT = "hit"
    """The answer, or the rest of it, is that of an equal request."""

    STALE = "stale"
    """It is that of an equal request, and had expired: it was given because the node is in need."""

    MISS = "miss"
    BYPASS = "bypass"
    """It is not of the kind that is kept, or the client would not have it."""

    @property
    def is_anothers(self) -> bool:
        """Whether the answer was given to another request before."""
        return self is CacheUse.HIT or self is CacheUse.STALE
