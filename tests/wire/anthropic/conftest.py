"""A request to read, of which a test says what matters to it."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import RequestRefused
from cortexd.wire.anthropic.read_request import read_chat_request

SMALLEST: dict[str, object] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 9,
}

Read: TypeAlias = Callable[..., ChatRequest]
RefusedAt: TypeAlias = Callable[..., tuple[str | None, str | None]]


@pytest.fixture
def read() -> Read:
    """The smallest request with other fields, as the domain has it."""

    def read(**fields: object) -> ChatRequest:
        return read_chat_request({**SMALLEST, **fields}).request

    return read


@pytest.fixture
def refused_at() -> RefusedAt:
    """Path and code of the refusal of the smallest request with other fields; `...`: without."""

    def refused_at(**fields: object) -> tuple[str | None, str | None]:
        document = {**SMALLEST, **fields}
        with pytest.raises(RequestRefused) as caught:
            read_chat_request({k: v for k, v in document.items() if v is not ...})
        assert caught.value.status == 400
        assert len(caught.value.message) < 400
        return caught.value.param, caught.value.code

    return refused_at
