"""What was there before: a message may come more than once, and is to be heeded once."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from cortexd.domain.fleet import MessageId

T = TypeVar("T")

MESSAGES_MAX: Final = 4096
"""So many are remembered: more than come within the life of a message."""


class DedupWindow(Generic[T]):
    """Remembers the last messages, and what has come of each. The oldest are forgotten first."""

    def __init__(self, messages_max: int = MESSAGES_MAX) -> None:
        self._messages_max = messages_max
        self._outcomes: OrderedDict[MessageId, T] = OrderedDict()

    def __contains__(self, message: MessageId) -> bool:
        return message in self._outcomes

    def __len__(self) -> int:
        return len(self._outcomes)

    def outcome(self, message: MessageId) -> T:
        """What has come of it. Errors: `KeyError` for one that is not remembered."""
        return self._outcomes[message]

    def remember(self, message: MessageId, outcome: T) -> None:
        """Know this one from now on."""
        self._outcomes[message] = outcome
        self._outcomes.move_to_end(message)
        while len(self._outcomes) > self._messages_max:
            self._outcomes.popitem(last=False)
