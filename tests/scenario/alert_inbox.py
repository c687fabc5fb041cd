"""What people are told of alerts, by key, as it came in at a webhook."""

import json
import queue
from collections.abc import Mapping
from typing import Final

import attrs

from tests.fakes.webhook import WebhookSink

FIRED: Final = "fired"
RESOLVED: Final = "resolved"


@attrs.frozen(eq=False)
class AlertInbox:
    """Reads the posts of a webhook. A key is a rule and its target: `breaker_open (groq)`."""

    webhook: WebhookSink
    _told: dict[str, list[str]] = attrs.Factory(dict)

    @property
    def told(self) -> Mapping[str, list[str]]:
        """All that was told so far of each alert, in order.

        `FIRED`, `RESOLVED`, or the whole message, if it is about something else.
        """
        while True:
            try:
                document = json.loads(self.webhook.posts.get_nowait().body)
            except queue.Empty:
                return self._told
            for each in document["attachments"]:
                occasion, _, key = each["title"].partition(": ")
                self._told.setdefault(key, []).append(_meaning(occasion, each["text"]))


def _meaning(occasion: str, message: str) -> str:
    if occasion == RESOLVED:
        return RESOLVED
    is_more_of_it = message.startswith(("worse: ", "still: "))
    return message if is_more_of_it else FIRED
