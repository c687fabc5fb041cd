"""What clients of the Ollama dialect may send: what the readers in `cortexd.wire.ollama` take."""

from typing import Final

from cortexd.http.openapi.json_schema import (
    Schema,
    array,
    closed,
    either,
    flag,
    integer,
    nothing,
    number,
    optional,
    optionals,
    reference,
    text,
    when,
    word,
)
from cortexd.http.openapi.ollama_messages import IMAGES, OLLAMA_MESSAGE_SCHEMAS
from cortexd.http.openapi.shared_requests import MODEL_OR_ANY, STOP_SEQUENCE
from cortexd.wire.ollama import embeddings
from cortexd.wire.ollama.read_generation import KEEP_ALIVE_CHARACTERS_MAX, TOP_LOGPROBS_MAX
from cortexd.wire.ollama.read_options import (
    CONTEXT_TOKENS_MAX,
    OPTIONS_NOT_SERVED,
    REPEAT_PENALTY_MAX,
    REPEAT_PENALTY_MIN,
    TOP_K_MAX,
)
from cortexd.wire.parsed_chat import (
    MESSAGE_CHARACTERS_MAX,
    MESSAGES_MAX,
    MODEL_CHARACTERS_MAX,
    OUTPUT_TOKENS_MAX,
    SEED_MAX,
    STOPS_MAX,
)
from cortexd.wire.parsed_tools import TOOLS_MAX

_TEMPERATURE: Final = number("How much chance there is in the answer.", 0, 2)
_BY_DEFAULT: Final = -1

_OPTIONS: Final = optionals(
    {
        "frequency_penalty": number("Against words that came often.", -2, 2),
        "min_p": number("How likely a token must be, measured by the likeliest.", 0, 1),
        "num_ctx": integer(
            "For how many tokens there must be room, prompt and answer.", 1, CONTEXT_TOKENS_MAX
        ),
        "num_predict": integer(
            "How long the answer may become, in tokens; -1 for as long as the model likes.",
            _BY_DEFAULT,
            OUTPUT_TOKENS_MAX,
            **{"not": {"const": 0}},
        ),
        "presence_penalty": number("Against words that came at all.", -2, 2),
        "repeat_penalty": number(
            "Against repeating; 1 is none.", REPEAT_PENALTY_MIN, REPEAT_PENALTY_MAX
        ),
        "seed": integer(
            "Makes answers repeatable where it can; -1 for chance.", -SEED_MAX, SEED_MAX
        ),
        "stop": array(STOP_SEQUENCE, "What ends the answer.", count_max=STOPS_MAX),
        "temperature": _TEMPERATURE,
        "top_k": integer("Out of how many tokens to choose.", 1, TOP_K_MAX),
        "top_p": number("Out of which share of the likeliest tokens to choose.", 0, 1),
    }
)

_KEEP_ALIVE: Final = either(
    text("A duration.", characters_max=KEEP_ALIVE_CHARACTERS_MAX),
    {"type": ["number", "null"], "description": "Seconds."},
    about="How long the model stays in memory: its worker's affair, so taken without effect.",
)

_GENERATION: Final[dict[str, Schema]] = {
    "model": optional(MODEL_OR_ANY),
    "format": either(
        word("`json` for any JSON object.", "json", "", None),
        reference("JsonSchema"),
        about="In what form to answer; a schema says it exactly.",
    ),
    "keep_alive": _KEEP_ALIVE,
    "options": optional(
        closed(
            "How tokens are chosen. Options that belong to one server are not supported.",
            {**_OPTIONS, **{name: nothing() for name in OPTIONS_NOT_SERVED}},
        )
    ),
    "think": word(
        "Whether to think before answering, and how much.",
        True,
        False,
        "low",
        "medium",
        "high",
        "max",
        "",
        None,
    ),
    "shift": nothing(True),
    "truncate": nothing(True),
    **optionals(
        {
            "stream": flag("Whether the answer is wanted as it comes, line by line")
            | {"default": True},
            "logprobs": flag("Whether to tell the probability of each token."),
            "top_logprobs": integer(
                "How many alternatives to tell with each token; needs `logprobs`.",
                0,
                TOP_LOGPROBS_MAX,
            ),
            "temperature": _TEMPERATURE,
            "max_tokens": integer(
                "The same as `options.num_predict`, which it may not contradict.",
                1,
                OUTPUT_TOKENS_MAX,
            ),
        }
    ),
}

_LOGPROBS_RULE: Final = when(
    "top_logprobs", {"type": "integer", "minimum": 1}, {"logprobs": {"const": True}}
)

_CHAT: Final = closed(
    "A chat. `temperature` and `max_tokens` may stand at the top or among the options, but not "
    "differ. A member of `null` counts as left out. What no worker of the model supports is "
    "refused with the name of the member, and never dropped.",
    {
        "messages": array(
            reference("OllamaMessage"),
            "The conversation so far. Each tool call must be followed by its result.",
            count_min=1,
            count_max=MESSAGES_MAX,
        ),
        "tools": optional(
            array(
                reference("OllamaTool"),
                "What the model may ask to have called.",
                count_max=TOOLS_MAX,
            )
        ),
        **_GENERATION,
    },
    required=["messages"],
    dependentSchemas=_LOGPROBS_RULE,
)


def _long_text(about: str) -> Schema:
    return optional(text(about, characters_max=MESSAGE_CHARACTERS_MAX))


_GENERATE: Final = closed(
    "A single question. Without prompt and images, it asks for the model to be loaded, which is "
    "answered at once and with one document.",
    {
        "prompt": _long_text("The question."),
        "system": _long_text("Instructions to the model."),
        "images": IMAGES,
        **_GENERATION,
        "context": nothing(),
        "raw": nothing(False),
        "suffix": nothing(),
        "template": nothing(),
        "height": nothing(0),
        "steps": nothing(0),
        "width": nothing(0),
    },
    dependentSchemas=_LOGPROBS_RULE,
)

_EMBEDDED_TEXT: Final = text("A text.", characters_min=1, characters_max=MESSAGE_CHARACTERS_MAX)

_EMBED: Final = closed(
    "Texts to turn into vectors.",
    {
        "model": optional(MODEL_OR_ANY),
        "input": either(
            _EMBEDDED_TEXT,
            array(_EMBEDDED_TEXT, count_min=1, count_max=embeddings.TEXTS_MAX),
        ),
        "dimensions": optional(
            integer("How long the vectors are to be.", 1, embeddings.DIMENSIONS_MAX)
        ),
        "keep_alive": _KEEP_ALIVE,
        "options": optional(
            closed(
                "None has an effect on vectors, so none is taken.",
                {name: nothing() for name in (*_OPTIONS, *OPTIONS_NOT_SERVED)},
            )
        ),
        "truncate": nothing(True),
    },
    required=["input"],
)

_NAMED: Final = {"type": "string", "minLength": 1}

_SHOW: Final = closed(
    "The question what a model is.",
    {
        "model": optional(MODEL_OR_ANY),
        "name": optional(
            text("What older clients call `model`.", characters_max=MODEL_CHARACTERS_MAX)
        ),
        "verbose": optional(flag("Taken without effect: all that is known is shown anyway.")),
        "options": nothing(),
        "system": nothing(),
        "template": nothing(),
    },
    anyOf=[
        {"properties": {"model": _NAMED}, "required": ["model"]},
        {"properties": {"name": _NAMED}, "required": ["name"]},
    ],
)

OLLAMA_REQUEST_SCHEMAS: Final[dict[str, Schema]] = {
    **OLLAMA_MESSAGE_SCHEMAS,
    "OllamaChatRequest": _CHAT,
    "OllamaGenerateRequest": _GENERATE,
    "OllamaEmbedRequest": _EMBED,
    "OllamaShowRequest": _SHOW,
}
