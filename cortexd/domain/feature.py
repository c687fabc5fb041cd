"""What not every worker can do: asked for by requests, stated by adapters, compared by routing."""

from enum import Enum, unique


@unique
class Feature(Enum):
    """Something that a request may need. The value completes "no worker … supports …"."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    DIMENSIONS = "embeddings of a chosen length"
    TOOLS = "tools"
    REQUIRED_TOOLS = "being made to call a tool"
    CHOSEN_TOOL = "being made to call one particular tool"
    NO_TOOL_USE = "tools that must not be called"
    SERIAL_TOOL_CALLS = "tool calls one at a time"
    STRICT_TOOLS = "strict tool arguments"
    FAILED_TOOL_RESULTS = "tool results marked as errors"
    IMAGES = "images"
    IMAGE_URLS = "images by address"
    IMAGE_DETAIL = "a level of image detail"
    TOOL_RESULT_IMAGES = "images in tool results"
    JSON_OBJECT = "JSON output"
    JSON_SCHEMA = "JSON output that fits a schema"
    REASONING = "reasoning"
    LOGPROBS = "logprobs"
    TOP_LOGPROBS = "the logprobs of alternatives"
    SEED = "a seed"
    TOP_K = "top_k"
    MIN_P = "min_p"
    PENALTIES = "frequency and presence penalties"
    REPEAT_PENALTY = "a repeat penalty"
    HIGH_TEMPERATURE = "a temperature above 1"
    STOP = "stop sequences"
    CONTEXT_SIZE = "a context size"
    PARTICIPANT_NAMES = "names of participants"
    PREFILL = "continuing an assistant's message"
