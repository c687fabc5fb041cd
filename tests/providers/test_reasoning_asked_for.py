"""Whoever says that it reasons does so in whichever of the two ways it is asked to."""

import pytest

from cortexd.domain.chat import ChatRequest, Effort, Role, text_message
from cortexd.domain.feature import Feature
from cortexd.providers import anthropic, cohere, gemini, groq, ollama, openai_compatible
from cortexd.providers.http_worker import Dialect

PLAIN = {"model": None, "messages": (text_message(Role.USER, "hi"),)}
REASONING = [
    pytest.param(module.DIALECT, id=module.__name__.rpartition(".")[2])
    for module in (anthropic, cohere, gemini, groq, ollama, openai_compatible)
    if Feature.REASONING in module.FEATURES
]


def _sent(dialect: Dialect, **fields: object) -> dict[str, object]:
    return dialect.write_chat_request(ChatRequest(**PLAIN | fields), model="m")  # type: ignore[arg-type]


def _added(dialect: Dialect, **fields: object) -> dict[str, object]:
    plain = _sent(dialect)
    sent = _sent(dialect, **fields)
    return {name: sent[name] for name in sent if sent[name] != plain.get(name)}


@pytest.mark.parametrize("dialect", REASONING)
def test_a_number_of_tokens_is_enough(dialect: Dialect) -> None:
    """It asks for reasoning by itself, and not for none."""
    added = _added(dialect, thinking_tokens_max=2000)
    assert added
    assert added != _added(dialect, effort=Effort.NONE)


@pytest.mark.parametrize("dialect", REASONING)
@pytest.mark.parametrize("effort", Effort)
def test_each_effort_can_be_asked_for(dialect: Dialect, effort: Effort) -> None:
    """By the nearest that the provider knows."""
    assert _added(dialect, effort=effort)
