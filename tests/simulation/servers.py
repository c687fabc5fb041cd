"""Simulated model servers: the fakes' words, in a network that exists in memory only."""

import random
from collections.abc import Mapping
from typing import Final

import attrs
import trio

from cortexd.domain.worker import WorkerType
from tests.fakes.anthropic import Anthropic
from tests.fakes.cohere import Cohere
from tests.fakes.dialect import Ask, Dialect, Endpoint, Received
from tests.fakes.gemini import Gemini
from tests.fakes.groq import Groq
from tests.fakes.ollama import Ollama
from tests.fakes.openai import OpenAi
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Break, Refusal, Scene, Trouble
from tests.simulation.clients import CREDENTIAL_MARK
from tests.simulation.faults import TROUBLES, WELL, Condition, Connecting, Fault, timetable
from tests.simulation.history import History
from tests.simulation.network import Arrival, MemoryConnection, Refused
from tests.simulation.script import Question, read_question, repeatable, scene_of

BAD_REQUEST: Final = 400
CONNECT_S: Final = (0.0, 0.02)
RETRY_AFTER_S: Final = (1.0, 15.0)

REPEATED_SHARE: Final = 0.3
"""So many of those who carry an answer on begin with words that are there already."""

DIALECTS: Final[Mapping[WorkerType, type[Dialect]]] = {
    WorkerType.OLLAMA: Ollama,
    WorkerType.OPENAI: OpenAi,
    WorkerType.GROQ: Groq,
    WorkerType.GEMINI: Gemini,
    WorkerType.COHERE: Cohere,
    WorkerType.ANTHROPIC: Anthropic,
}

PATHS: Final[Mapping[WorkerType, str]] = {WorkerType.GROQ: "/openai/v1"}


@attrs.frozen(eq=False)
class Call:
    """A request that a server has taken: the so-and-so-manieth on a connection."""

    question: str
    server: str
    connection: MemoryConnection
    number: int

    @property
    def is_open(self) -> bool:
        """Whether the server is still busy with it, as far as it knows."""
        connection = self.connection
        return connection.requests == self.number and not connection.awaits_nothing


@attrs.define(eq=False, kw_only=True)
class SimulatedServer:
    """One server. `troubles` are those of its keys; `foreign_keys` are those of other hosts.

    `complaints`: the statuses with which it has refused each question.
    """

    name: str
    type: WorkerType
    keys: tuple[str, ...]
    chance: random.Random
    history: History
    condition: Condition = WELL
    troubles: dict[str, Trouble] = attrs.Factory(dict)
    foreign_keys: frozenset[str] = frozenset()
    calls: list[Call] = attrs.Factory(list)
    fake: FakeProvider = attrs.field()

    @property
    def host(self) -> str:
        """Under which the network knows it."""
        return f"{self.name}.test"

    @property
    def base_url(self) -> str:
        """What stands in the configuration of its worker."""
        return f"https://{self.host}{PATHS.get(self.type, '')}"

    @fake.default
    def _make_fake(self) -> FakeProvider:
        fake = FakeProvider(DIALECTS[self.type]())
        fake.keys = set(self.keys)
        return fake

    def become(self, condition: Condition) -> None:
        """Fall ill, or get well."""
        self.condition = condition
        self.history.note(self.name, f"is now: {condition}")

    def trouble_key(self, key: str, trouble: Trouble | None) -> None:
        """Take offence at a key, or no more."""
        if trouble is None:
            self.troubles.pop(key, None)
        else:
            self.troubles[key] = trouble
        self.history.note(self.name, f"key {key}: {trouble.name if trouble else 'good'}")

    async def connect(self) -> None:
        """Let a client in. Raises `Refused`."""
        await trio.sleep(self.chance.uniform(*CONNECT_S))
        if self.condition.connecting is Connecting.REFUSED:
            raise Refused
        if self.condition.connecting is Connecting.HANGS:
            await trio.sleep_forever()

    def take(self, request: Received, connection: MemoryConnection) -> list[Arrival] | None:
        """What arrives after this request."""
        self._look_for_foreign_keys(request)
        fault = self.condition.draw(self.chance)
        if fault is Fault.DEAF:
            self.history.note(self.name, f"does not read {request.path}")
            return None
        reply = self.fake.answer(self._prepared(request, fault, connection))
        self.fake.requests.clear()
        if reply.status == BAD_REQUEST:
            # What a 400 means is in its words alone: cut off, it may be held against anybody.
            fault = None
        if fault is not None:
            self.history.note(self.name, f"{request.path}: {fault.value}")
        return timetable(reply, fault, self.chance)

    def _prepared(
        self, request: Received, fault: Fault | None, connection: MemoryConnection
    ) -> Received:
        """Have the fake play the scene that this request deserves."""
        fake, dialect = self.fake, self.fake.dialect
        endpoint = dialect.endpoint(request.method, request.path)
        refusal = self._refusal(request, endpoint, fault)
        fake.refusal = refusal if endpoint is Endpoint.LIST else None
        scene = Scene(refusal=refusal)
        label = request.path
        if endpoint is Endpoint.CHAT:
            ask = dialect.read_chat(request)
            question, said = read_question(ask.understood)
            label = question.text
            if refusal is None:
                scene = self._scene(ask, question, said, fault)
        if endpoint is not Endpoint.LIST:
            self.calls.append(Call(label, self.name, connection, connection.requests))
            refused = f" refused: {refusal.trouble}" if refusal else ""
            self.history.note(self.name, f"is asked {label!r}{refused}")
        fake.play(scene)
        return request

    def _scene(self, ask: Ask, question: Question, said: str, fault: Fault | None) -> Scene:
        del ask
        repeated = 0
        if said and self.chance.random() < REPEATED_SHARE:
            repeated = self.chance.choice(repeatable(said))
        if said:
            self.history.note(self.name, f"carries on from {said[-20:]!r}, repeating {repeated}")
        scene = scene_of(question, said=said, repeated=repeated)
        pieces = sum(len(getattr(part, "pieces", "ab")) for part in scene.parts)
        if fault is Fault.ERROR_FRAME:
            broken = Break(self.chance.randint(0, max(0, pieces - 1)), "error")
            scene = attrs.evolve(scene, broken=broken)
        return attrs.evolve(scene, noisy=self.chance.random() < 0.2)

    def _refusal(
        self, request: Received, endpoint: Endpoint | None, fault: Fault | None
    ) -> Refusal | None:
        trouble: Trouble | int | None = None
        key = self.fake.dialect.key(request)
        if key in self.troubles:
            trouble = self.troubles[key]
            if endpoint is Endpoint.LIST and trouble is not Trouble.BAD_KEY:
                trouble = None
        if trouble is None and fault in {Fault.TROUBLE, Fault.ERROR_AS_200}:
            trouble = self.chance.choice(TROUBLES)
        if trouble is None:
            return None
        wait_s = round(self.chance.uniform(*RETRY_AFTER_S), 1)
        is_told = trouble in {Trouble.RATE_LIMIT, Trouble.OVERLOADED} and self.chance.random() < 0.7
        return Refusal(trouble, wait_s if is_told else None, is_200=fault is Fault.ERROR_AS_200)

    def _look_for_foreign_keys(self, request: Received) -> None:
        sent = " ".join((request.path, request.query, *request.headers.values()))
        if CREDENTIAL_MARK in sent:
            self.history.violation(self.name, "has been sent the credential of a client")
        for key in self.foreign_keys:
            if key in sent or key.encode() in request.body:
                self.history.violation(self.name, f"has been sent the key of another host: {key}")
