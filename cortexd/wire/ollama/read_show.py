"""What clients of the Ollama dialect may ask of POST /api/show.

Source of the field names: `ShowRequest` in `api/types.go` of ollama/ollama.
"""

from typing import Final

from cortexd.wire.fields import MISSING, Fields, refuse
from cortexd.wire.parsed_chat import MODEL_CHARACTERS_MAX, read_model

_TAKEN: Final = frozenset({"model", "name", "verbose"})
# They would change what a server shows of the model, and nothing is known here to be changed.
_ASKS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "options": (),
    "system": (),
    "template": (),
}


def read_show_request(document: dict[str, object]) -> str:
    """The name of the model; `name` is what older clients call it.

    `verbose` is taken without effect: all that is known is shown anyway.
    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, _ASKS_FOR_NOTHING)
    body.flag("verbose", default=False)
    name = body.text("name", characters_max=MODEL_CHARACTERS_MAX)
    model = read_model(body) or name
    if not model:
        refuse("model", "is missing; it must be a model's name", MISSING)
    return model
