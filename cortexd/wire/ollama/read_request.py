"""What clients of the Ollama dialect may ask of POST /api/chat.

Source of the field names: `api/types.go` of ollama/ollama and the official Python client.
"""

from typing import Final

from cortexd.domain.chat import ChatRequest, Message, Role, Sampling, text_message
from cortexd.wire.fields import MISSING, Fields, refuse, refuse_type
from cortexd.wire.parsed_chat import (
    MESSAGE_CHARACTERS_MAX,
    OUTPUT_TOKENS_MAX,
    SEED_MAX,
    ParsedChat,
    agree,
    read_messages,
    read_model,
    read_role,
    read_stop,
)

_TAKEN: Final = frozenset(
    {"model", "messages", "stream", "options", "temperature", "max_tokens", "keep_alive"}
)
_ASKS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "format": (),
    "logprobs": (False,),
    "think": (),
    "tools": (),
    "top_logprobs": (0,),
    # What Ollama does anyway with a conversation that has grown too long.
    "shift": (True,),
    "truncate": (True,),
}

_OPTIONS_TAKEN: Final = frozenset(
    {
        "temperature",
        "top_p",
        "num_predict",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
    }
)
# Named so that `null` is taken, as it is for every known field.
_OPTIONS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = dict.fromkeys(
    (
        "embedding_only",
        "f16_kv",
        "logits_all",
        "low_vram",
        "main_gpu",
        "min_p",
        "mirostat",
        "mirostat_eta",
        "mirostat_tau",
        "num_batch",
        "num_ctx",
        "num_gpu",
        "num_keep",
        "num_thread",
        "numa",
        "penalize_newline",
        "repeat_last_n",
        "repeat_penalty",
        "tfs_z",
        "top_k",
        "typical_p",
        "use_mlock",
        "use_mmap",
        "vocab_only",
    ),
    (),
)

_MESSAGE_TAKEN: Final = frozenset({"role", "content"})
_MESSAGE_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = dict.fromkeys(
    ("images", "thinking", "tool_call_id", "tool_calls", "tool_name"), ()
)

_ROLES: Final = {"system": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}

_UNLIMITED: Final = -1
_KEEP_ALIVE_CHARACTERS_MAX: Final = 64


def read_chat_request(document: dict[str, object]) -> ParsedChat:
    """What the body of the request says.

    `keep_alive` is taken without effect: how long a worker keeps a model in memory changes no
    answer, is its operator's affair, and one client must not unload what all the others use.
    `think` is refused, false as well: with it some models answer differently.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, _ASKS_FOR_NOTHING)
    keep_alive = body.members.get("keep_alive")
    if isinstance(keep_alive, bool | list | dict):
        refuse_type("keep_alive", keep_alive, "a duration")
    if isinstance(keep_alive, str):
        body.text("keep_alive", characters_max=_KEEP_ALIVE_CHARACTERS_MAX)
    return ParsedChat(
        request=ChatRequest(
            model=read_model(body),
            messages=read_messages(body, _read_message),
            sampling=_read_sampling(body),
        ),
        stream=body.flag("stream", default=True),
    )


def _read_sampling(body: Fields) -> Sampling:
    options = body.nested("options") or Fields({}, "options")
    options.only(_OPTIONS_TAKEN, _OPTIONS_FOR_NOTHING)
    return Sampling(
        temperature=agree(
            ("options.temperature", options.number("temperature", low=0, high=2)),
            ("temperature", body.number("temperature", low=0, high=2)),
        ),
        top_p=options.number("top_p", low=0, high=1),
        max_output_tokens=agree(
            ("options.num_predict", _read_num_predict(options)),
            ("max_tokens", body.integer("max_tokens", low=1, high=OUTPUT_TOKENS_MAX)),
        ),
        stop=read_stop(options, text_allowed=False),
        seed=options.integer("seed", low=-SEED_MAX, high=SEED_MAX),
        frequency_penalty=options.number("frequency_penalty", low=-2, high=2),
        presence_penalty=options.number("presence_penalty", low=-2, high=2),
    )


def _read_num_predict(options: Fields) -> int | None:
    """The limit; Ollama writes -1 for none, which is also its default."""
    given = options.members.get("num_predict")
    if type(given) is int and given == _UNLIMITED:
        return None
    return options.integer("num_predict", low=1, high=OUTPUT_TOKENS_MAX)


def _read_message(message: Fields) -> Message:
    message.only(_MESSAGE_TAKEN, _MESSAGE_FOR_NOTHING)
    role = read_role(message, _ROLES)
    text = message.text("content", characters_max=MESSAGE_CHARACTERS_MAX)
    if text is None:
        refuse(message.at("content"), "is missing; it must be a string", MISSING)
    return text_message(role, text)
