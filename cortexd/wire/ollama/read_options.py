"""How clients of the Ollama dialect want tokens chosen: `options`, and two fields beside it.

Source of the field names: `api/types.go` of ollama/ollama and the official Python client.
"""

from typing import Final

from cortexd.domain.chat import Sampling
from cortexd.domain.feature import Feature
from cortexd.wire.fields import Fields
from cortexd.wire.parsed_chat import OUTPUT_TOKENS_MAX, SEED_MAX, agree, read_stop

TOP_K_MAX: Final = 2**31 - 1
CONTEXT_TOKENS_MAX: Final = 2**31 - 1

REPEAT_PENALTY_MIN: Final = 0.1
"""Not zero, by which the server would divide."""
REPEAT_PENALTY_MAX: Final = 10

_TAKEN: Final = frozenset(
    {
        "frequency_penalty",
        "min_p",
        "num_ctx",
        "num_predict",
        "presence_penalty",
        "repeat_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_p",
    }
)

# Named so that `null` is taken, as it is for every known field.
OPTIONS_NOT_SERVED: Final[dict[str, tuple[object, ...]]] = dict.fromkeys(
    (
        "draft_num_predict",
        "embedding_only",
        "f16_kv",
        "logits_all",
        "low_vram",
        "main_gpu",
        "mirostat",
        "mirostat_eta",
        "mirostat_tau",
        "num_batch",
        "num_gpu",
        "num_keep",
        "num_thread",
        "numa",
        "penalize_newline",
        "repeat_last_n",
        "tfs_z",
        "typical_p",
        "use_mlock",
        "use_mmap",
        "vocab_only",
    ),
    (),
)

_BY_DEFAULT: Final = -1
"""What Ollama writes for no limit of tokens, and for a seed of chance."""


def read_sampling(body: Fields, needs: dict[Feature, str]) -> Sampling:
    """The sampling of `options`, and of `temperature` and `max_tokens` at the top level.

    Those two are the gateway's own addition to the dialect; they may repeat an option, but not
    contradict it.
    """
    options = body.nested("options") or Fields({}, "options")
    options.only(_TAKEN, OPTIONS_NOT_SERVED)
    sampling = Sampling(
        temperature=agree(
            ("options.temperature", options.number("temperature", low=0, high=2)),
            ("temperature", body.number("temperature", low=0, high=2)),
        ),
        top_p=options.number("top_p", low=0, high=1),
        top_k=options.integer("top_k", low=1, high=TOP_K_MAX),
        min_p=options.number("min_p", low=0, high=1),
        max_output_tokens=agree(
            ("options.num_predict", _read_or_default(options, "num_predict", 1, OUTPUT_TOKENS_MAX)),
            ("max_tokens", body.integer("max_tokens", low=1, high=OUTPUT_TOKENS_MAX)),
        ),
        stop=read_stop(options, text_allowed=False),
        seed=_read_or_default(options, "seed", -SEED_MAX, SEED_MAX),
        frequency_penalty=options.number("frequency_penalty", low=-2, high=2),
        presence_penalty=options.number("presence_penalty", low=-2, high=2),
        repeat_penalty=options.number(
            "repeat_penalty", low=REPEAT_PENALTY_MIN, high=REPEAT_PENALTY_MAX
        ),
        context_tokens=options.integer("num_ctx", low=1, high=CONTEXT_TOKENS_MAX),
    )
    _note_needs(sampling, options, needs)
    return sampling


def refuse_options(body: Fields) -> None:
    """Refuse any option, where a request has nothing that one could change."""
    options = body.nested("options") or Fields({}, "options")
    options.only((), OPTIONS_NOT_SERVED | dict.fromkeys(_TAKEN, ()))


def _note_needs(sampling: Sampling, options: Fields, needs: dict[Feature, str]) -> None:
    if sampling.temperature is not None and sampling.temperature > 1:
        is_option = options.members.get("temperature") is not None
        needs[Feature.HIGH_TEMPERATURE] = "options.temperature" if is_option else "temperature"
    # A penalty of zero is none, as is one that divides by 1; zero is a seed like any other.
    wanted = (
        (sampling.top_k is not None, Feature.TOP_K, "top_k"),
        (bool(sampling.min_p), Feature.MIN_P, "min_p"),
        (sampling.seed is not None, Feature.SEED, "seed"),
        (bool(sampling.stop), Feature.STOP, "stop"),
        (bool(sampling.frequency_penalty), Feature.PENALTIES, "frequency_penalty"),
        (bool(sampling.presence_penalty), Feature.PENALTIES, "presence_penalty"),
        (sampling.repeat_penalty not in {None, 1}, Feature.REPEAT_PENALTY, "repeat_penalty"),
        (sampling.context_tokens is not None, Feature.CONTEXT_SIZE, "num_ctx"),
    )
    for is_wanted, feature, name in wanted:
        if is_wanted:
            needs.setdefault(feature, options.at(name))


def _read_or_default(options: Fields, name: str, low: int, high: int) -> int | None:
    """An integer, `None` where it is absent or says the default in Ollama's way."""
    given = options.members.get(name)
    if type(given) is int and given == _BY_DEFAULT:
        return None
    return options.integer(name, low=low, high=high)
