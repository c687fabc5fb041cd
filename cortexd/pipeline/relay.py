"""Between worker and client: keeps what was said, so that another worker may go on."""

import attrs

from cortexd.domain.answer import Batch, Finished
from cortexd.domain.chat import ChatRequest
from cortexd.domain.ids import WorkerName
from cortexd.domain.request import ModelRequest
from cortexd.domain.usage import Usage
from cortexd.policy.overlap import OverlapRemover
from cortexd.policy.resume import Transcript, continuation
from cortexd.policy.token_estimate import estimate_input_tokens, estimate_output_tokens
from cortexd.ports import Downstream


class Relay(Downstream):
    """The downstream of all attempts of one exchange, one after the other."""

    def __init__(self, downstream: Downstream, request: ModelRequest) -> None:
        self._downstream = downstream
        self._request = request
        self._transcript = Transcript(request) if isinstance(request, ChatRequest) else None
        self._overlap: OverlapRemover | None = None
        self._resumed_from: tuple[WorkerName, ...] = ()
        self._finished: Finished | None = None
        # What was said before this attempt began: all of it, and the text that it was given.
        self._said_before = 0
        self._prefix_tokens = 0

    async def send(self, events: Batch) -> None:
        """Pass a batch on, but for what the client has already."""
        if self._overlap is not None:
            kept = self._overlap.take(events)
            if not kept:
                return
            events = kept
        last = events[-1]
        if isinstance(last, Finished):
            self._finished = last
            if self._resumed_from:
                events = (*events[:-1], self._of_the_whole(last))
        await self._downstream.send(events)
        if self._transcript is not None:
            self._transcript.take(events)

    def start_over(self) -> bool:
        """Forget what was said, if the client has not seen any of it."""
        if self._resumed_from or not self._downstream.start_over():
            return False
        if isinstance(self._request, ChatRequest):
            self._transcript = Transcript(self._request)
        return True

    @property
    def is_sent(self) -> bool:
        """Whether the client has all of it."""
        return self._downstream.is_sent

    @property
    def resumable(self) -> bool:
        """Whether another worker could carry on where the client has got to."""
        return self._transcript is not None and self._transcript.can_be_resumed

    def resume(self, lost: WorkerName) -> ModelRequest:
        """What is to be asked of the next worker, now that this one is lost."""
        if self._transcript is None or not isinstance(self._request, ChatRequest):
            raise AssertionError("only a chat is resumed")
        text = self._transcript.text
        self._resumed_from = (*self._resumed_from, lost)
        self._overlap = OverlapRemover(text)
        self._said_before = self._transcript.characters
        self._prefix_tokens = estimate_output_tokens(len(text))
        return continuation(self._request, text)

    @property
    def resumed_from(self) -> tuple[WorkerName, ...]:
        """The workers whose answers were carried on."""
        return self._resumed_from

    def take_usage(self) -> tuple[Usage | None, bool]:
        """What the attempt that has ended has spent, and whether that is an estimate."""
        finished, self._finished = self._finished, None
        if finished is not None and finished.usage is not None:
            return finished.usage, False
        if self._transcript is None or not isinstance(self._request, ChatRequest):
            return None, False
        written = self._transcript.characters - self._said_before
        return Usage(
            estimate_input_tokens(self._request) + self._prefix_tokens,
            estimate_output_tokens(written),
        ), True

    def _of_the_whole(self, last: Finished) -> Finished:
        """The end as that of one answer: what the next worker read as prompt was answer before."""
        usage = last.usage
        if usage is not None:
            before = max(0, min(self._prefix_tokens, usage.input_tokens - 1))
            usage = attrs.evolve(
                usage,
                input_tokens=usage.input_tokens - before,
                output_tokens=usage.output_tokens + before,
            )
        return attrs.evolve(last, usage=usage, resumed_from=self._resumed_from)
