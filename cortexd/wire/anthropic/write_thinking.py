"""How an Anthropic worker is told how much to think.

Source: platform.claude.com/docs, "Thinking", "Adaptive thinking", "Effort" and "Extended thinking";
`types/thinking_config_*_param.py` of the official Python client (anthropic).

Newer models take an effort and decide for themselves. The older ones, a list that nothing is added
to any more, take a budget of tokens instead, which is a part of `max_tokens`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from cortexd.domain.chat import ChatRequest, Effort
from cortexd.wire.anthropic.read_thinking import BUDGET_TOKENS_MIN
from cortexd.wire.anthropic.write_messages import Turn
from cortexd.wire.thinking_tokens import THINKING_TOKENS

MAX_TOKENS_DEFAULT: Final = 16_384
"""Where the client sets no limit, which the API wants: long enough for an answer, and each model
of the official client's list can say more."""

_EFFORTS: Final[Mapping[Effort, str]] = {
    Effort.MINIMAL: "low",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
    Effort.XHIGH: "xhigh",
    Effort.MAX: "max",
}

# Claude 3, and Claude 4 up to 4.5; a date of eight digits is no minor version.
_THINKS_BY_BUDGET: Final = re.compile(
    r"claude-(3|4-[a-z]|[a-z]+-4-[015](-\d{8})?$|[a-z]+-4(-\d{8})?$|[a-z]+-4-\d{8}$)"
)


@attrs.frozen(kw_only=True)
class ThinkingPlan:
    """The members of a request that thinking has a say in; `None`: left out."""

    max_tokens: int
    thinking: dict[str, object] | None = None
    effort: str | None = None


def plan_thinking(request: ChatRequest, turns: Sequence[Turn], *, model: str) -> ThinkingPlan:
    """How much to think, and the limit that holds it.

    A client's limit is never raised: an effort's budget takes what is free below it, and where that
    is less than the API's least, the model does not think. Nor does it by a budget behind a turn
    that did not begin with a thought of Anthropic's own, as another worker's does: the API would
    refuse the request.
    """
    limit = request.sampling.max_output_tokens
    if request.effort is Effort.NONE:
        return ThinkingPlan(max_tokens=limit or MAX_TOKENS_DEFAULT, thinking={"type": "disabled"})
    effort = None if request.effort is None else _EFFORTS[request.effort]
    budget = request.thinking_tokens_max
    if budget is None and effort is not None:
        if not _THINKS_BY_BUDGET.match(model):
            return ThinkingPlan(
                max_tokens=limit or MAX_TOKENS_DEFAULT,
                # Some models leave the thoughts' text out unless they are asked for it.
                thinking={"type": "adaptive", "display": "summarized"},
                effort=effort,
            )
        budget, effort = _budget(request.effort, limit), None
    if budget is None or not _may_think_by_budget(turns):
        return ThinkingPlan(max_tokens=limit or MAX_TOKENS_DEFAULT, effort=effort)
    return ThinkingPlan(
        max_tokens=limit or MAX_TOKENS_DEFAULT + budget,
        thinking={"type": "enabled", "budget_tokens": budget},
        effort=effort,
    )


def _budget(effort: Effort | None, limit: int | None) -> int | None:
    """The budget for an effort below a client's limit, `None` where there is no room for one."""
    budget = THINKING_TOKENS[effort or Effort.MEDIUM]
    if limit is None:
        return budget
    return min(budget, limit - 1) if limit > BUDGET_TOKENS_MIN else None


def _may_think_by_budget(turns: Sequence[Turn]) -> bool:
    """Whether the answer that goes on now, behind results or a prefill, began with a thought."""
    begins_with_thought = True
    for turn in reversed(turns):
        if turn.role == "assistant":
            begins_with_thought = turn.begins_with_thought
        elif not turn.brings_results:
            break
    return begins_with_thought
