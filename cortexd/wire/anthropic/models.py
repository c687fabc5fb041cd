"""The list of models, read from a worker and written for a client.

Source of the shapes: `types/model_info.py` and `pagination.py` of the official Python client
(anthropic).
"""

from collections.abc import Sequence
from typing import Final

import attrs
import msgspec

from cortexd.wire import foreign_json


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


_model_lists: Final = msgspec.json.Decoder(_ModelList)


@attrs.frozen
class ListedModel:
    """A model as the list shows it. `created_at` is a time in RFC 3339."""

    name: str
    created_at: str


def decode_models(body: bytes) -> tuple[str, ...]:
    """The names in the answer to GET /v1/models.

    Errors: `MalformedStream` for a body that is no such list.
    """
    models = foreign_json.read(_model_lists, body, what="a list of models").data
    return tuple(model.id for model in models)


def write_models(models: Sequence[ListedModel]) -> dict[str, object]:
    """The answer to GET /v1/models: all of them on one page."""
    return {
        "data": [write_model(model) for model in models],
        "has_more": False,
        "first_id": models[0].name if models else None,
        "last_id": models[-1].name if models else None,
    }


def write_model(model: ListedModel) -> dict[str, object]:
    """The answer to GET /v1/models/{id}; a model that is served is in its prime."""
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": model.created_at,
        "lifecycle": "active",
    }
