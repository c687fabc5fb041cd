"""Everything a client can ask of a model."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from cortexd.domain.chat import ChatRequest
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.feature import Feature


@attrs.frozen
class TokenCountRequest:
    """The question how many tokens the prompt of this chat has."""

    chat: ChatRequest

    @property
    def model(self) -> str | None:
        """The name the client used."""
        return self.chat.model

    @property
    def needs(self) -> Mapping[Feature, str]:
        """As in `ChatRequest`."""
        return self.chat.needs


ModelRequest: TypeAlias = ChatRequest | EmbeddingRequest | TokenCountRequest
