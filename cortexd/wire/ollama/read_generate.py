"""What clients of the Ollama dialect may ask of POST /api/generate.

Source of the field names: `GenerateRequest` in `api/types.go` of ollama/ollama and the official
Python client.
"""

from typing import Final

from cortexd.domain.chat import Message, Role, Text, text_message
from cortexd.domain.feature import Feature
from cortexd.wire.fields import Fields
from cortexd.wire.ollama.read_generation import ASKS_FOR_NOTHING, TAKEN, read_generation
from cortexd.wire.ollama.read_messages import read_images
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX, ParsedChat

_TAKEN: Final = TAKEN | {"images", "prompt", "system"}

_ASKS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    **ASKS_FOR_NOTHING,
    # The tokens of an earlier answer, which only the server that made them could read.
    "context": (),
    # A worker's template belongs to its model; no other dialect has room for one.
    "raw": (False,),
    "suffix": (),
    "template": (),
    # Of models that paint.
    "height": (0,),
    "steps": (0,),
    "width": (0,),
}


def read_generate_request(document: dict[str, object]) -> ParsedChat:
    """What the body of the request says, as a chat of one or two messages.

    It has no messages where it has neither prompt nor images: it asks for the model to be loaded.
    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, _ASKS_FOR_NOTHING)
    needs: dict[Feature, str] = {}
    return read_generation(body, messages=_read_messages(body, needs), needs=needs)


def _read_messages(body: Fields, needs: dict[Feature, str]) -> tuple[Message, ...]:
    system = body.text("system", characters_max=MESSAGE_CHARACTERS_MAX)
    prompt = body.text("prompt", characters_max=MESSAGE_CHARACTERS_MAX)
    images = read_images(body)
    if images:
        needs[Feature.IMAGES] = "images"
    texts = (Text(prompt),) if prompt else ()
    if not (images or texts):
        return ()
    asked = Message(Role.USER, (*images, *texts))
    return (text_message(Role.SYSTEM, system), asked) if system else (asked,)
