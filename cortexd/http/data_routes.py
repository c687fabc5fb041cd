"""The endpoints of the data listener, a line each."""

from collections.abc import Callable, Mapping, Sequence

import attrs

from cortexd.actors.worker_pool import PoolMember
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerStatus
from cortexd.http.doors.anthropic import anthropic_messages_door, anthropic_token_count_door
from cortexd.http.doors.door import Door
from cortexd.http.doors.json_door import Document, JsonDoor
from cortexd.http.doors.models import models_door
from cortexd.http.doors.ollama import (
    ollama_chat_door,
    ollama_embed_door,
    ollama_generate_door,
    ollama_ps_door,
    ollama_show_door,
    ollama_tags_door,
    ollama_version_door,
)
from cortexd.http.doors.openai import openai_chat_door, openai_embeddings_door
from cortexd.http.doors.served_model import ServedModel
from cortexd.http.gate import Gate
from cortexd.http.openapi.document import openapi_document
from cortexd.http.probes import NodeProbes
from cortexd.http.quart_app import Route
from cortexd.pipeline.exchange import ChatService
from cortexd.policy.routing import Serves, resolve


@attrs.frozen(kw_only=True)
class DoorParts:
    """What the doors need. `wall_clock` gives seconds since the epoch, `clock` is monotonic."""

    service: ChatService
    probes: NodeProbes
    aliases: Mapping[str, tuple[str, ...]]
    new_id: Callable[[], str]
    wall_clock: Callable[[], float]
    clock: Callable[[], float]
    version: str


def model_doors(parts: DoorParts) -> Mapping[str, Door]:
    """The doors behind which a model is asked, by path; all of them are for POST."""
    service, new_id = parts.service, parts.new_id
    wall_clock, clock = parts.wall_clock, parts.clock
    chat = ollama_chat_door(service, new_id=new_id, wall_clock=wall_clock, clock=clock)
    generate = ollama_generate_door(service, new_id=new_id, wall_clock=wall_clock, clock=clock)
    return {
        "/v1/chat/completions": openai_chat_door(service, new_id=new_id, wall_clock=wall_clock),
        "/v1/embeddings": openai_embeddings_door(service, new_id=new_id),
        "/v1/messages": anthropic_messages_door(service, new_id=new_id),
        "/v1/messages/count_tokens": anthropic_token_count_door(service, new_id=new_id),
        "/api/chat": chat,
        "/api/generate": generate,
        "/api/embed": ollama_embed_door(service, new_id=new_id, clock=clock),
    }


def data_routes(parts: DoorParts, gate: Gate | None = None) -> tuple[Route, ...]:
    """What clients can ask for. `gate`: who may pass, but to the few doors that are always open."""
    probes, wall_clock = parts.probes, parts.wall_clock

    def served() -> list[ServedModel]:
        return served_models(probes.view.value.members, parts.aliases)

    def get(path: str, door: Door) -> Route:
        return Route(method="GET", path=path, door=door, gate=gate)

    def post(path: str, door: Door) -> Route:
        return Route(method="POST", path=path, door=door, gate=gate)

    def health(path: str, document: Document) -> Route:
        # Load balancers and service managers have no keys.
        return Route(method="GET", path=path, door=JsonDoor(document))

    described = openapi_document(parts.version)
    models = models_door(served, wall_clock=wall_clock)
    return (
        *(post(path, door) for path, door in model_doors(parts).items()),
        get("/v1/models", models),
        get("/v1/models/<path:model>", models),
        post("/api/show", ollama_show_door(served, wall_clock=wall_clock)),
        get("/api/tags", ollama_tags_door(served, wall_clock=wall_clock)),
        get("/api/ps", ollama_ps_door(served, wall_clock=wall_clock)),
        get("/api/version", ollama_version_door(parts.version)),
        health("/api/health", probes.health),
        health("/livez", probes.livez),
        health("/readyz", probes.readyz),
        health("/startupz", probes.startupz),
        get("/openapi.json", JsonDoor(lambda: (200, described))),
    )


def served_models(
    members: Sequence[PoolMember], aliases: Mapping[str, tuple[str, ...]]
) -> list[ServedModel]:
    """What clients can name: each model of a worker not known to be down, and each alias of one."""
    able = {
        member.worker.name: member
        for member in members
        if member.health.status is not WorkerStatus.UNAVAILABLE
    }
    serving: dict[str, list[WorkerName]] = {}
    for name, member in able.items():
        for model in member.models:
            serving.setdefault(model, []).append(name)
    serves = [Serves(name, member.models) for name, member in able.items()]
    for alias in aliases:
        tiers = resolve(alias, serves, aliases=aliases)
        targets = [candidate.worker for tier in tiers for candidate in tier]
        if targets:
            serving.setdefault(alias, list(dict.fromkeys(targets)))
    return [
        ServedModel(
            name=model,
            workers=tuple(workers),
            features=frozenset().union(*(able[name].worker.info.features for name in workers)),
        )
        for model, workers in serving.items()
    ]
