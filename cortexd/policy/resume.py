"""What it takes for another worker to carry on an answer whose own worker has been lost."""

from typing import Final

import attrs

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallStarted,
    weight,
)
from cortexd.domain.chat import ChatRequest, Message, Role, Text, text_message
from cortexd.domain.feature import Feature
from cortexd.policy.token_estimate import estimate_output_tokens

KEPT_CHARACTERS_MAX: Final = 1024 * 1024
"""An answer that is longer is not kept, and so cannot be carried on."""


class Transcript:
    """What has been said to `request`, as far as another worker would have to know it.

    `characters`: how many there were, of text, reasoning, refusals and arguments together.
    """

    def __init__(self, request: ChatRequest) -> None:
        self.characters = 0
        self._pieces: list[str] = []
        self._thinks = False
        self._never = _never(request)

    def take(self, events: Batch) -> None:
        """Note what has been said now."""
        for event in events:
            if isinstance(event, TextDelta):
                self.characters += len(event.text)
                self._thinks = False
                if not self._never:
                    self._pieces.append(event.text)
            else:
                self._take_other(event)
        if self.characters > KEPT_CHARACTERS_MAX:
            self._give_up("length")

    @property
    def text(self) -> str:
        """All texts as one, without the reasoning before; empty where it cannot be carried on."""
        return "".join(self._pieces)

    @property
    def can_be_resumed(self) -> bool:
        """Whether another worker could carry it on."""
        return not self.why_not

    @property
    def why_not(self) -> str:
        """What stands against carrying it on, for operators; empty if nothing does."""
        return self._never or ("reasoning in progress" if self._thinks else "")

    def _take_other(self, event: AnswerEvent) -> None:
        self.characters += weight(event)
        match event:
            case ReasoningDelta():
                self._thinks = True
            case ToolCallStarted():
                self._give_up("tool calls")
            case RefusalDelta():
                self._give_up("refusal")
            case Finished():
                self._give_up("complete")

    def _give_up(self, why: str) -> None:
        self._never = self._never or why
        self._pieces.clear()


def _never(request: ChatRequest) -> str:
    """Why no answer to this request can be carried on; empty if one may be."""
    if request.output is not None:
        return "JSON output"
    return "" if request.top_logprobs is None else "logprobs"


def continuation(request: ChatRequest, text: str) -> ChatRequest:
    """The request to go on with an answer of which the client has had `text`.

    White space at the end of it is not among what the worker gets: Anthropic refuses an answer that
    ends so, chat templates cut it off, and models go on better from the end of a word. The
    `OverlapRemover` sees to it that the client does not get it twice.
    """
    limit = request.sampling.max_output_tokens
    if limit is not None:
        left = max(1, limit - estimate_output_tokens(len(text)))
        request = attrs.evolve(
            request, sampling=attrs.evolve(request.sampling, max_output_tokens=left)
        )
    said = text.rstrip()
    if not said:
        return request
    return attrs.evolve(
        request,
        messages=_ending_with(said, request.messages),
        needs={Feature.PREFILL: "messages"} | dict(request.needs),
    )


def _ending_with(said: str, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages and what has been said; it goes on where the client itself has begun."""
    *before, last = messages
    if last.role is not Role.ASSISTANT:
        return (*messages, text_message(Role.ASSISTANT, said))
    *parts, end = last.parts or (Text(""),)
    # In a part of its own, it would begin on a new line.
    parts += [Text(end.text + said)] if isinstance(end, Text) else [end, Text(said)]
    return (*before, attrs.evolve(last, parts=tuple(parts)))
