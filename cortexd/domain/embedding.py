"""The gateway's own words for turning texts into vectors."""

from collections.abc import Mapping

import attrs

from cortexd.domain.feature import Feature


@attrs.frozen(kw_only=True)
class EmbeddingRequest:
    """The texts to embed, at least one. `dimensions`: the length of the vectors, if it is asked.

    `needs` as in `ChatRequest`.
    """

    model: str | None
    texts: tuple[str, ...]
    dimensions: int | None = None
    needs: Mapping[Feature, str] = attrs.Factory(dict)
