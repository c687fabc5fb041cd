"""What a client is told that has spent all it may."""

from cortexd.domain.errors import RateLimited


def too_many_requests(per_minute: int, wait_s: float) -> RateLimited:
    """For one request too many."""
    return RateLimited(
        f"you may make {per_minute} requests a minute; try again after the time in retry-after",
        retry_after_s=wait_s,
    )


def too_many_tokens(per_minute: int, wait_s: float) -> RateLimited:
    """For a request that takes more tokens than are left."""
    return RateLimited(
        f"you may spend {per_minute} tokens a minute; try again after the time in retry-after",
        retry_after_s=wait_s,
    )
