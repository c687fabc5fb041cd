"""What the Ollama dialect tells of the models that are served: its listings, and POST /api/show.

Rules of this file: what the gateway does not know is empty or zero, but there, because clients
read it without asking whether it is. Nothing is made up.
"""

from collections.abc import Callable, Sequence
from typing import Final

from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.doors.json_door import answer_json
from cortexd.http.doors.ollama_answers import rfc_3339
from cortexd.http.doors.request_headers import check_json
from cortexd.http.doors.served_model import ServedModel, ServedModels
from cortexd.http.error_responses import ollama_error, send_error
from cortexd.policy.routing import ANY_MODEL, DEFAULT_TAG
from cortexd.wire.ollama.read_show import read_show_request
from cortexd.wire.quotation import quoted
from cortexd.wire.strict_json import parse_object

SHOW_BYTES_MAX: Final = 64 * 1024
"""It holds a name; what is longer is not worth reading."""

LOADED_FOR_S: Final = 100 * 365 * 86_400.0
"""A client is told that a model stays loaded: the gateway never unloads one."""

_CAPABILITIES: Final = {
    Feature.CHAT: "completion",
    Feature.TOOLS: "tools",
    Feature.IMAGES: "vision",
    Feature.REASONING: "thinking",
    Feature.EMBEDDINGS: "embedding",
}

_UNKNOWN_DETAILS: Final[dict[str, object]] = {
    "parent_model": "",
    "format": "",
    "family": "",
    "families": [],
    "parameter_size": "",
    "quantization_level": "",
}


def find_served(name: str | None, models: Sequence[ServedModel]) -> ServedModel:
    """The model that a client means: by its name, without its tag, as `worker/model`, or any.

    Errors: `RequestRefused` (404) where nobody serves it.
    """
    for model in models:
        if name is None or name == ANY_MODEL or _means(name, model):
            return model
    raise RequestRefused(
        f"model {quoted(name or ANY_MODEL)} not found", "model", "model_not_found", 404
    )


def describe_tags(models: Sequence[ServedModel], *, opened_s: float) -> dict[str, object]:
    """GET /api/tags. A model of unknown age is as old as the door."""
    return {
        "models": [
            _listed(model)
            | {"modified_at": _modified_at(model, opened_s)}
            | ({"capabilities": _capabilities(model)} if model.features else {})
            for model in models
        ]
    }


def describe_loaded(models: Sequence[ServedModel], *, now_s: float) -> dict[str, object]:
    """GET /api/ps: every model that is served, since any of them answers when it is asked.

    Whether a worker has the weights in memory at this moment, and how much they take, is not known
    here: the sizes are zero.
    """
    expires_at = rfc_3339(now_s + LOADED_FOR_S)
    return {
        "models": [_listed(model) | {"expires_at": expires_at, "size_vram": 0} for model in models]
    }


class ShowDoor:
    """POST /api/show: what is known of one model.

    Errors: none of a client; those are answered.
    """

    def __init__(self, served_models: ServedModels, *, wall_clock: Callable[[], float]) -> None:
        self._served_models = served_models
        self._opened_s = wall_clock()

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Send the description, or say that there is no such model."""
        try:
            description = self._describe(request)
        except RequestRefused as refusal:
            await send_error(respond, refusal, render=ollama_error)
        else:
            await answer_json(respond, 200, description)

    def _describe(self, request: DoorRequest) -> dict[str, object]:
        check_json(request.headers, also_from_curl=True)
        if len(request.body) > SHOW_BYTES_MAX:
            raise RequestRefused(
                f"the body must have at most {SHOW_BYTES_MAX} bytes",
                code="body_too_large",
                status=413,
            )
        name = read_show_request(parse_object(request.body))
        model = find_served(name, self._served_models())
        return {
            "modelfile": "",
            "parameters": "",
            "template": "",
            "details": _UNKNOWN_DETAILS,
            "model_info": {},
            "capabilities": _capabilities(model),
            "modified_at": _modified_at(model, self._opened_s),
        }


def _means(name: str, model: ServedModel) -> bool:
    worker, _, rest = name.partition("/")
    names = {name, rest} if worker in model.workers else {name}
    return model.name in names | {one + DEFAULT_TAG for one in names}


def _listed(model: ServedModel) -> dict[str, object]:
    return {
        "name": model.name,
        "model": model.name,
        "size": 0,
        "digest": "",
        "details": _UNKNOWN_DETAILS,
    }


def _modified_at(model: ServedModel, opened_s: float) -> str:
    return rfc_3339(opened_s if model.created_s is None else model.created_s)


def _capabilities(model: ServedModel) -> list[str]:
    """What the workers that serve it can carry; whether the model itself can is not known here."""
    return [name for feature, name in _CAPABILITIES.items() if feature in model.features]
