"""The connections to a worker, counted."""

import attrs


@attrs.frozen(kw_only=True)
class ConnectionStatistics:
    """What there is at this moment, and what there has been since the start.

    `open` are those in use and the idle ones. `stale_retries`: requests that were sent again, as
    their idle connection turned out to be closed.
    """

    open: int
    idle: int
    in_use: int
    connecting: int
    opened: int
    reused: int
    stale_retries: int
