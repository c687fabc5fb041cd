"""How much the model is to think, and in what form to answer: `thinking` and `output_config`.

Source of the shapes: `types/thinking_config_*_param.py` and `types/output_config_param.py` of the
official Python client (anthropic).
"""

from typing import Final

import attrs

from cortexd.domain.chat import Effort, JsonOutput
from cortexd.domain.feature import Feature
from cortexd.wire.anthropic.read_blocks import KIND_CHARACTERS_MAX, read_kind
from cortexd.wire.fields import INVALID_VALUE, MISSING, UNSUPPORTED, Fields, refuse
from cortexd.wire.parsed_chat import OUTPUT_TOKENS_MAX
from cortexd.wire.parsed_tools import read_schema
from cortexd.wire.quotation import quoted

BUDGET_TOKENS_MIN: Final = 1024
"""The least that Anthropic takes."""

_EFFORTS: Final = {
    "low": Effort.LOW,
    "medium": Effort.MEDIUM,
    "high": Effort.HIGH,
    "xhigh": Effort.XHIGH,
    "max": Effort.MAX,
}
_EFFORT_BY_DEFAULT: Final = Effort.HIGH
"""Of an adaptive model that is not told: platform.claude.com/docs, "Adaptive thinking"."""


@attrs.frozen(kw_only=True)
class Thinking:
    """As in `ChatRequest`; `is_shown`: the client wants to read the thoughts."""

    effort: Effort | None = None
    budget_tokens: int | None = None
    is_shown: bool = True


def read_output_config(
    body: Fields, needs: dict[Feature, str]
) -> tuple[Effort | None, JsonOutput | None]:
    """The effort to make, and the form of the answer; `None`: not said."""
    config = body.nested("output_config")
    if config is None:
        return None, None
    config.only({"effort", "format"}, {})
    effort = _read_effort(config)
    if effort is not None:
        needs.setdefault(Feature.REASONING, config.at("effort"))
    return effort, _read_format(config, needs)


def read_thinking(
    body: Fields, effort: Effort | None, needs: dict[Feature, str], *, max_tokens: int | None
) -> Thinking:
    """Whether to think and how much; `effort`: what is said of it elsewhere."""
    thinking = body.nested("thinking")
    if thinking is None:
        return Thinking(effort=effort)
    match read_kind(thinking, ("adaptive", "enabled", "disabled")):
        case "disabled":
            thinking.only({"type"}, {})
            if effort is not None:
                problem = "is not supported together with output_config.effort"
                refuse(thinking.path, problem, UNSUPPORTED)
            return Thinking(effort=Effort.NONE)
        case "adaptive":
            needs.setdefault(Feature.REASONING, thinking.path)
            thinking.only({"type", "display"}, {})
            is_shown = _read_display(thinking)
            return Thinking(effort=effort or _EFFORT_BY_DEFAULT, is_shown=is_shown)
    needs.setdefault(Feature.REASONING, thinking.path)
    thinking.only({"type", "budget_tokens", "display"}, {})
    return Thinking(
        effort=effort,
        budget_tokens=_read_budget(thinking, max_tokens),
        is_shown=_read_display(thinking),
    )


def _read_budget(thinking: Fields, max_tokens: int | None) -> int:
    budget = thinking.integer("budget_tokens", low=BUDGET_TOKENS_MIN, high=OUTPUT_TOKENS_MAX)
    path = thinking.at("budget_tokens")
    if budget is None:
        refuse(path, "is missing; it must be a number of tokens", MISSING)
    if max_tokens is not None and budget >= max_tokens:
        refuse(path, "must be less than max_tokens, of which it is a part", INVALID_VALUE)
    return budget


def _read_display(thinking: Fields) -> bool:
    display = thinking.text("display", characters_max=KIND_CHARACTERS_MAX)
    if display not in {None, "summarized", "omitted"}:
        problem = f"must be summarized or omitted, not {quoted(display or '')}"
        refuse(thinking.at("display"), problem, INVALID_VALUE)
    return display != "omitted"


def _read_effort(config: Fields) -> Effort | None:
    name = config.text("effort", characters_max=KIND_CHARACTERS_MAX)
    if name is None:
        return None
    if name not in _EFFORTS:
        problem = f"is supported only as {', '.join(_EFFORTS)}, not {quoted(name)}"
        refuse(config.at("effort"), problem, UNSUPPORTED)
    return _EFFORTS[name]


def _read_format(config: Fields, needs: dict[Feature, str]) -> JsonOutput | None:
    form = config.nested("format")
    if form is None:
        return None
    read_kind(form, ("json_schema",))
    form.only({"type", "schema"}, {})
    schema = read_schema(form, "schema")
    if schema is None:
        refuse(form.at("schema"), "is missing; it must be a JSON Schema", MISSING)
    needs.setdefault(Feature.JSON_SCHEMA, form.path)
    # Anthropic promises that the answer fits, which is what others call strict.
    return JsonOutput(schema=schema, strict=True)
