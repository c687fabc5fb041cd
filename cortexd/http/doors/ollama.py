"""The Ollama dialect: a factory for each of its endpoints."""

from collections.abc import Callable
from functools import partial

from cortexd.http.doors.json_door import JsonDoor
from cortexd.http.doors.model_door import ModelDoor
from cortexd.http.doors.ollama_answers import (
    Clocks,
    OllamaDialect,
    ask_chat,
    ask_embed,
    ask_generate,
)
from cortexd.http.doors.ollama_models import ShowDoor, describe_loaded, describe_tags
from cortexd.http.doors.served_model import ServedModels
from cortexd.pipeline.exchange import ChatService


def ollama_chat_door(
    service: ChatService,
    *,
    new_id: Callable[[], str],
    wall_clock: Callable[[], float],
    clock: Callable[[], float],
) -> ModelDoor:
    """POST /api/chat. `wall_clock` gives seconds since 1970, `clock` is monotonic, in seconds."""
    clocks = Clocks(wall=wall_clock, monotonic=clock)
    return ModelDoor(OllamaDialect(partial(ask_chat, clocks=clocks)), service, new_id)


def ollama_generate_door(
    service: ChatService,
    *,
    new_id: Callable[[], str],
    wall_clock: Callable[[], float],
    clock: Callable[[], float],
) -> ModelDoor:
    """POST /api/generate; the clocks as for POST /api/chat."""
    clocks = Clocks(wall=wall_clock, monotonic=clock)
    return ModelDoor(OllamaDialect(partial(ask_generate, clocks=clocks)), service, new_id)


def ollama_embed_door(
    service: ChatService, *, new_id: Callable[[], str], clock: Callable[[], float]
) -> ModelDoor:
    """POST /api/embed. `clock` is monotonic, in seconds."""
    return ModelDoor(OllamaDialect(partial(ask_embed, clock=clock)), service, new_id)


def ollama_tags_door(served_models: ServedModels, *, wall_clock: Callable[[], float]) -> JsonDoor:
    """GET /api/tags."""
    opened_s = wall_clock()
    return JsonDoor(lambda: (200, describe_tags(served_models(), opened_s=opened_s)))


def ollama_ps_door(served_models: ServedModels, *, wall_clock: Callable[[], float]) -> JsonDoor:
    """GET /api/ps."""
    return JsonDoor(lambda: (200, describe_loaded(served_models(), now_s=wall_clock())))


def ollama_show_door(served_models: ServedModels, *, wall_clock: Callable[[], float]) -> ShowDoor:
    """POST /api/show."""
    return ShowDoor(served_models, wall_clock=wall_clock)


def ollama_version_door(version: str) -> JsonDoor:
    """GET /api/version."""
    return JsonDoor(lambda: (200, {"version": version}))
