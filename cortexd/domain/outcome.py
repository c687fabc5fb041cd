"""The one final state of an exchange."""

from enum import Enum, unique


@unique
class Outcome(Enum):
    """How an exchange ended; each exchange has exactly one."""

    SERVED = "served"
    REFUSED = "refused"
    SHED = "shed"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CLIENT_LEFT = "client_left"
    NODE_STOPPED = "node_stopped"
