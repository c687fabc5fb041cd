"""GET /v1/models and GET /v1/models/{model}, where two dialects meet at one address.

Anthropic's clients say what they are with the header `anthropic-version`, which all of theirs send.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs

from cortexd.domain.errors import RequestRefused
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.http.doors.json_door import answer_json
from cortexd.http.doors.served_model import ServedModel, ServedModels
from cortexd.http.error_responses import anthropic_error, openai_error, send_error
from cortexd.wire.anthropic.models import ListedModel, write_model, write_models
from cortexd.wire.quotation import quoted

SIGN_OF_ANTHROPIC: Final = "anthropic-version"


@attrs.frozen
class ModelsDoor(Door):
    """Lists the models, or describes the one that the path's parameter `model` names.

    `opened_s`: since when there is the door, in seconds since 1970; a model of unknown age is as
    old.
    """

    served_models: ServedModels
    opened_s: float

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Send what is known."""
        is_anthropic = SIGN_OF_ANTHROPIC in request.headers
        listing = self._anthropic_list if is_anthropic else self._openai_list
        served, name = self.served_models(), request.params.get("model")
        if name is None:
            await answer_json(respond, 200, listing(served))
            return
        found = [model for model in served if model.name == name]
        if found:
            describe = self._anthropic_one if is_anthropic else self._openai_one
            await answer_json(respond, 200, describe(found[0]))
            return
        problem = f"no worker lists the model {quoted(name)}; GET /v1/models names those there are"
        render = anthropic_error if is_anthropic else openai_error
        refusal = RequestRefused(problem, "model", "model_not_found", 404)
        await send_error(respond, refusal, render=render)

    def _openai_list(self, served: Sequence[ServedModel]) -> dict[str, object]:
        return {"object": "list", "data": [self._openai_one(model) for model in served]}

    def _openai_one(self, model: ServedModel) -> dict[str, object]:
        return {
            "id": model.name,
            "object": "model",
            "created": int(self._created_s(model)),
            "owned_by": ", ".join(model.workers),
        }

    def _anthropic_list(self, served: Sequence[ServedModel]) -> dict[str, object]:
        return write_models([self._listed(model) for model in served])

    def _anthropic_one(self, model: ServedModel) -> dict[str, object]:
        return write_model(self._listed(model))

    def _listed(self, model: ServedModel) -> ListedModel:
        created_at = datetime.fromtimestamp(self._created_s(model), UTC)
        return ListedModel(model.name, created_at.isoformat(timespec="seconds"))

    def _created_s(self, model: ServedModel) -> float:
        return self.opened_s if model.created_s is None else model.created_s


def models_door(served_models: ServedModels, *, wall_clock: Callable[[], float]) -> ModelsDoor:
    """Both endpoints. `wall_clock` gives seconds since 1970."""
    return ModelsDoor(served_models, wall_clock())
