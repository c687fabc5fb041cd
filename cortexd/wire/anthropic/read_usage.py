"""How many tokens an answer took, as an Anthropic worker tells it: in parts, and more than once.

Source: `types/usage.py` and `types/message_delta_usage.py` of the official Python client
(anthropic).
"""

import attrs
import msgspec

from cortexd.domain.usage import Usage


class OutputDetails(msgspec.Struct):
    """What the output consists of."""

    thinking_tokens: int | None = None


class UsageTold(msgspec.Struct):
    """A `usage` member. What was cached is not among the input here."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


@attrs.define
class UsageCount:
    """The totals so far: each telling overwrites what it names, and the rest still holds."""

    _told: dict[str, int] = attrs.Factory(dict)

    def add(self, usage: UsageTold | None) -> None:
        """Take note of a `usage` member."""
        if usage is None:
            return
        details = usage.output_tokens_details
        told = {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cache_write": usage.cache_creation_input_tokens,
            "cached": usage.cache_read_input_tokens,
            "reasoning": None if details is None else details.thinking_tokens,
        }
        self._told |= {name: count for name, count in told.items() if count is not None}

    def total(self) -> Usage | None:
        """What the answer took; `None` if nothing has been told."""
        if not self._told:
            return None
        cached, cache_write = self._told.get("cached", 0), self._told.get("cache_write", 0)
        return Usage(
            input_tokens=self._told.get("input", 0) + cached + cache_write,
            output_tokens=self._told.get("output", 0),
            cached_tokens=cached,
            cache_write_tokens=cache_write,
            reasoning_tokens=self._told.get("reasoning", 0),
        )
