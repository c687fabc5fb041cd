"""What POST /api/chat and POST /api/generate have in common: all but what the model is to read.

Source of the field names: `api/types.go` of ollama/ollama and the official Python client.
"""

from collections.abc import Sequence
from typing import Final

from cortexd.domain.chat import ChatRequest, Effort, JsonOutput, Message, Tool
from cortexd.domain.feature import Feature
from cortexd.wire.fields import INVALID_VALUE, Fields, refuse, refuse_type
from cortexd.wire.ollama.read_options import read_sampling
from cortexd.wire.parsed_chat import ParsedChat, read_model
from cortexd.wire.parsed_tools import read_schema
from cortexd.wire.quotation import quoted

TAKEN: Final = frozenset(
    {
        "format",
        "keep_alive",
        "logprobs",
        "max_tokens",
        "model",
        "options",
        "stream",
        "temperature",
        "think",
        "top_logprobs",
    }
)
ASKS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    # What Ollama does anyway with a conversation that has grown too long.
    "shift": (True,),
    "truncate": (True,),
}

TOP_LOGPROBS_MAX: Final = 20

_EFFORTS: Final = {
    # The server takes `true` for medium where a model knows levels.
    True: Effort.MEDIUM,
    False: Effort.NONE,
    "low": Effort.LOW,
    "medium": Effort.MEDIUM,
    "high": Effort.HIGH,
    "max": Effort.MAX,
}
KEEP_ALIVE_CHARACTERS_MAX: Final = 64


def read_generation(
    body: Fields,
    *,
    messages: tuple[Message, ...],
    needs: dict[Feature, str],
    tools: Sequence[Tool] = (),
) -> ParsedChat:
    """The request with these messages and tools, and what else the body says.

    `needs` comes with what the messages and tools need. An answer streams unless it is told not to.
    """
    check_keep_alive(body)
    request = ChatRequest(
        model=read_model(body),
        messages=messages,
        sampling=read_sampling(body, needs),
        tools=tuple(tools),
        output=_read_format(body, needs),
        effort=_read_think(body, needs),
        top_logprobs=_read_top_logprobs(body, needs),
        needs=needs,
    )
    return ParsedChat(request=request, stream=body.flag("stream", default=True))


def check_keep_alive(body: Fields) -> None:
    """Refuse a `keep_alive` that is no duration.

    It is taken without effect: how long a worker keeps a model in memory changes no answer, is its
    operator's affair, and one client must not unload what all the others use.
    """
    keep_alive = body.members.get("keep_alive")
    if isinstance(keep_alive, bool | list | dict):
        refuse_type("keep_alive", keep_alive, "a duration")
    if isinstance(keep_alive, str):
        body.text("keep_alive", characters_max=KEEP_ALIVE_CHARACTERS_MAX)


def _read_format(body: Fields, needs: dict[Feature, str]) -> JsonOutput | None:
    given = body.members.get("format")
    if given is None or given == "":
        return None
    if isinstance(given, dict):
        needs[Feature.JSON_SCHEMA] = "format"
        return JsonOutput(schema=read_schema(body, "format"))
    if not isinstance(given, str):
        refuse_type("format", given, "'json' or a schema")
    if given != "json":
        refuse("format", f"must be 'json' or a schema, not {quoted(given)}", INVALID_VALUE)
    needs[Feature.JSON_OBJECT] = "format"
    return JsonOutput()


def _read_think(body: Fields, needs: dict[Feature, str]) -> Effort | None:
    given = body.members.get("think")
    if given is None or given == "":
        return None
    if not isinstance(given, bool | str):
        refuse_type("think", given, "a boolean or a level")
    if given not in _EFFORTS:
        levels = "true, false, low, medium, high or max"
        refuse("think", f"must be {levels}, not {quoted(str(given))}", INVALID_VALUE)
    effort = _EFFORTS[given]
    if effort is not Effort.NONE:
        needs[Feature.REASONING] = "think"
    return effort


def _read_top_logprobs(body: Fields, needs: dict[Feature, str]) -> int | None:
    count = body.integer("top_logprobs", low=0, high=TOP_LOGPROBS_MAX)
    if not body.flag("logprobs", default=False):
        if count:
            refuse("top_logprobs", "needs logprobs to be true", INVALID_VALUE)
        return None
    needs[Feature.LOGPROBS] = "logprobs"
    if count:
        needs[Feature.TOP_LOGPROBS] = "top_logprobs"
    return count or 0
