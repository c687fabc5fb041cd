"""The endpoints of the data listener, a line each."""

from collections.abc import Callable, Sequence

import attrs

from cortexd.actors.worker_pool import PoolMember
from cortexd.domain.worker import WorkerStatus
from cortexd.http.doors.json_door import JsonDoor
from cortexd.http.doors.ollama import ollama_chat_door, ollama_tags_door, ollama_version_door
from cortexd.http.doors.openai import openai_chat_door, openai_models_door
from cortexd.http.doors.served_model import ServedModel
from cortexd.http.probes import NodeProbes
from cortexd.http.quart_app import Route
from cortexd.pipeline.exchange import ChatService


@attrs.frozen(kw_only=True)
class DoorParts:
    """What the doors need. `wall_clock` gives seconds since the epoch, `clock` is monotonic."""

    service: ChatService
    probes: NodeProbes
    new_id: Callable[[], str]
    wall_clock: Callable[[], float]
    clock: Callable[[], float]
    version: str


def data_routes(parts: DoorParts) -> tuple[Route, ...]:
    """What clients can ask for."""
    new_id, wall_clock, probes = parts.new_id, parts.wall_clock, parts.probes

    def models() -> Sequence[ServedModel]:
        return served_models(probes.view.value.members)

    openai_chat = openai_chat_door(parts.service, new_id=new_id, wall_clock=wall_clock)
    ollama_chat = ollama_chat_door(
        parts.service, new_id=new_id, wall_clock=wall_clock, clock=parts.clock
    )
    openai_models = openai_models_door(models, wall_clock=wall_clock)
    ollama_tags = ollama_tags_door(models, wall_clock=wall_clock)
    ollama_version = ollama_version_door(parts.version)
    return (
        Route(method="POST", path="/v1/chat/completions", door=openai_chat),
        Route(method="GET", path="/v1/models", door=openai_models),
        Route(method="POST", path="/api/chat", door=ollama_chat),
        Route(method="GET", path="/api/tags", door=ollama_tags),
        Route(method="GET", path="/api/version", door=ollama_version),
        Route(method="GET", path="/api/health", door=JsonDoor(probes.health)),
        Route(method="GET", path="/livez", door=JsonDoor(probes.livez)),
        Route(method="GET", path="/readyz", door=JsonDoor(probes.readyz)),
    )


def served_models(members: Sequence[PoolMember]) -> list[ServedModel]:
    """Each model that a worker not known to be down lists, once, with all who serve it."""
    workers: dict[str, list[PoolMember]] = {}
    for member in members:
        if member.health.status is not WorkerStatus.UNAVAILABLE:
            for model in member.models:
                workers.setdefault(model, []).append(member)
    return [
        ServedModel(name=model, workers=tuple(member.worker.name for member in serving))
        for model, serving in workers.items()
    ]
