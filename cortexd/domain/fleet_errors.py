"""How a message to a fleet can fail."""

import attrs

from cortexd.domain.errors import CortexError


@attrs.frozen
class LineDown(CortexError):
    """The broker could not be reached, or took nothing, within the life of the message."""

    message: str


@attrs.frozen
class MessageUndeliverable(CortexError):
    """The broker has not taken the message: nobody is there for it, or it was refused."""

    message: str
