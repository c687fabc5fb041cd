"""Which workers carry on an answer, and how they are asked to."""

from collections.abc import Callable
from typing import Any, Final, cast

import pytest

from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.feature import Feature
from cortexd.domain.worker import Resume, WorkerSettings, WorkerType
from cortexd.policy.resume import continuation
from cortexd.providers import anthropic, ollama, openai_compatible
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.catalog import make_adapter
from cortexd.providers.embedded.settings import EmbeddedSettings

HERE: Final = "http://127.0.0.1:8000/v1"
BY_THEMSELVES: Final = {WorkerType.OLLAMA, WorkerType.EMBEDDED, WorkerType.SCRIPTED}
IF_TOLD: Final = BY_THEMSELVES | {WorkerType.OPENAI, WorkerType.ANTHROPIC}

LOST: Final = continuation(
    ChatRequest(model=None, messages=(text_message(Role.USER, "Why?"),)), "Because \n"
)
"""What is asked of a worker when another one was lost that had said so much."""

ASKED: Final = [
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": "Because"},
]


@pytest.mark.parametrize("kind", WorkerType)
def test_who_resumes(settings_of: Callable[..., WorkerSettings], kind: WorkerType) -> None:
    """Some do by themselves, some if they are told to; whoever does can continue a message."""
    for resume, expected in (
        (Resume.AUTO, kind in BY_THEMSELVES),
        (Resume.CONTINUE, True),
        (Resume.OFF, False),
    ):
        settings = settings_of(kind, resume=resume, base_url=HERE)
        info = make_adapter(settings, AdapterParts()).info()
        assert info.resumes is expected
        if expected and kind in IF_TOLD:
            assert Feature.PREFILL in info.features


@pytest.mark.parametrize("kind", [kind for kind in WorkerType if kind is not WorkerType.EMBEDDED])
def test_the_context_is_the_setting(
    settings_of: Callable[..., WorkerSettings], kind: WorkerType
) -> None:
    """Unknown, unless it is set."""
    settings = settings_of(kind, base_url=HERE)
    assert make_adapter(settings, AdapterParts()).info().context_tokens is None
    settings = settings_of(kind, base_url=HERE, context_tokens=8192)
    assert make_adapter(settings, AdapterParts()).info().context_tokens == 8192


def test_the_embedded_context_is_that_of_the_engine(
    settings_of: Callable[..., WorkerSettings],
) -> None:
    """It has a setting of its own."""
    parts = AdapterParts(embedded=EmbeddedSettings(context_tokens=777))
    assert make_adapter(settings_of(WorkerType.EMBEDDED), parts).info().context_tokens == 777


@pytest.mark.parametrize(
    "dialect", [ollama.DIALECT, openai_compatible.DIALECT], ids=["ollama", "openai"]
)
def test_the_conversation_ends_as_it_is(dialect: Any) -> None:
    """With the assistant's message, which Ollama and llama.cpp go on from."""
    body = dialect.write_chat_request(LOST, model="m")
    assert body["messages"] == ASKED
    assert not {"continue_final_message", "add_generation_prompt"} & body.keys()


def test_anthropic_gets_no_white_space_at_the_end() -> None:
    """It would refuse that."""
    body = anthropic.DIALECT.write_chat_request(LOST, model="claude-3-5-haiku-latest")
    (_, asked) = cast("list[object]", body["messages"])
    assert asked == {"role": "assistant", "content": [{"type": "text", "text": "Because"}]}


def test_a_compatible_server_is_told_to_go_on() -> None:
    """In vLLM's words; but not where there is nothing to go on from."""
    dialect = openai_compatible.dialect_of(HERE, continues=True)

    body = dialect.write_chat_request(LOST, model="m")
    assert body["messages"] == ASKED
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)

    for messages in (LOST.messages[:1], ()):
        request = ChatRequest(model=None, messages=messages)
        body = dialect.write_chat_request(request, model="m")
        assert not {"continue_final_message", "add_generation_prompt"} & body.keys()


def test_openai_itself_is_told_nothing() -> None:
    """It has no words for it, and refuses those that it does not know."""
    dialect = openai_compatible.dialect_of("https://api.openai.com/v1", continues=True)
    body = dialect.write_chat_request(LOST, model="m")
    assert not {"continue_final_message", "add_generation_prompt"} & body.keys()
    assert Feature.PREFILL not in dialect.features
