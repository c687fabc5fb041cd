"""How much a request matters when not all can be served."""

from enum import Enum, unique


@unique
class Criticality(Enum):
    """A property of the client's key, never of a bare header."""

    PREMIUM = "premium"
    NORMAL = "normal"
