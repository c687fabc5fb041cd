"""What clients of the Ollama dialect may ask of POST /api/chat.

Source of the field names: `api/types.go` of ollama/ollama and the official Python client.
"""

from typing import Final

from cortexd.domain.feature import Feature
from cortexd.wire.fields import Fields
from cortexd.wire.ollama.read_generation import ASKS_FOR_NOTHING, TAKEN, read_generation
from cortexd.wire.ollama.read_messages import read_messages
from cortexd.wire.ollama.read_tools import read_tools
from cortexd.wire.parsed_chat import ParsedChat

_TAKEN: Final = TAKEN | {"messages", "tools"}


def read_chat_request(document: dict[str, object]) -> ParsedChat:
    """What the body of the request says.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, ASKS_FOR_NOTHING)
    needs: dict[Feature, str] = {}
    tools = read_tools(body)
    if tools:
        needs[Feature.TOOLS] = "tools"
    messages = read_messages(body, needs)
    return read_generation(body, messages=messages, needs=needs, tools=tools)
