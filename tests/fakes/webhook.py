"""A sink for webhooks on loopback, which answers as told and remembers what it was sent."""

import contextlib
import json
import queue
from collections.abc import Iterator
from typing import Any

import attrs

from tests.fakes.dialect import Received
from tests.fakes.server import Reply, serving

TAKEN = Reply(200, {"content-type": "text/plain"}, (b"ok",))
HANGING = Reply(200, {}, (b"o",), ending="hang", length=2)  # in the midst of the body
SILENT = Reply(100, {}, (), ending="hang")

PATH = "/services/T000/B000/sEcReT-token"
"""Where it is: as with Slack, who knows the path may post."""

POST_S_MAX = 20.0


def refusing(status: int, **headers: str) -> Reply:
    """An answer with this status."""
    return Reply(status, headers, (b"no",))


@attrs.define(eq=False)
class WebhookSink:
    """`replies`: what it answers, in turn; then all is taken. `posts`: what it was sent."""

    url: str = ""
    replies: list[Reply] = attrs.Factory(list)
    posts: queue.Queue[Received] = attrs.Factory(queue.Queue)

    def answer(self, request: Received) -> Reply:
        """Remember the request, and answer it."""
        self.posts.put(request)
        return self.replies.pop(0) if self.replies else TAKEN

    def next_document(self) -> Any:
        """The JSON of the next post; waits for it."""
        return json.loads(self.posts.get(timeout=POST_S_MAX).body)


@contextlib.contextmanager
def running_webhook() -> Iterator[WebhookSink]:
    """A sink until the block ends."""
    sink = WebhookSink()
    with serving(sink.answer, lambda _request: None) as address:
        sink.url = address + PATH
        yield sink
