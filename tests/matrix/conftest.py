"""One node with a worker of each type, the remote ones being fakes of their providers."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Literal, TypeAlias

import attrs
import pytest

from tests.daemon import Daemon, running_daemon
from tests.fakes.anthropic import Anthropic
from tests.fakes.cohere import Cohere
from tests.fakes.conftest import png as png  # noqa: PLC0414  a fixture is shared by its name
from tests.fakes.dialect import Dialect
from tests.fakes.gemini import Gemini
from tests.fakes.groq import Groq
from tests.fakes.ollama import Ollama
from tests.fakes.openai import OpenAi
from tests.fakes.provider import FakeProvider, running
from tests.matrix.doors import DOORS, ClientDoor, Heard, Question

# The path that stands behind the host in a worker's base_url.
BASES: dict[str, tuple[type[Dialect], str]] = {
    "ollama": (Ollama, ""),
    "openai": (OpenAi, "/v1"),
    "groq": (Groq, "/openai/v1"),
    "gemini": (Gemini, "/v1beta"),
    "cohere": (Cohere, ""),
    "anthropic": (Anthropic, ""),
}

SCRIPTS = """
[[workers]]
name = "scripted"
type = "scripted"
script = [{ say = "Hello world", split = "words" }]
[[workers]]
name = "scripted-tools"
type = "scripted"
script = [{ call = "weather", arguments = { city = "Paris" } }]
[[workers]]
name = "scripted-length"
type = "scripted"
script = [{ say = "Hello", split = "words" }, { finish = "length" }]
[[workers]]
name = "scripted-thinking"
type = "scripted"
script = [{ think = "Hm." }, { say = "Hello" }]
[[workers]]
name = "scripted-cut"
type = "scripted"
script = [{ say = "Hello" }, { fail = "server_error" }]
"""
SPARES = 36
"""Workers of each type for failures that the node takes to heart: a bad key is not used again."""

KINDS = ("refused", "bad_key", "rate_limited", "server_error", "overloaded")


How: TypeAlias = Literal["whole", "streamed"]


@attrs.frozen
class Gateway:
    """The node, and the fakes behind it by the type of their worker."""

    daemon: Daemon
    fakes: dict[str, FakeProvider]
    spares: dict[str, Iterator[str]]

    @property
    def url(self) -> str:
        """Where clients chat."""
        return self.daemon.url


@attrs.frozen
class Talk:
    """A client of one dialect that talks to one worker through the node."""

    gateway: Gateway
    door: ClientDoor
    kind: str

    @property
    def fake(self) -> FakeProvider:
        """The server behind the worker."""
        return self.gateway.fakes[self.kind]

    def ask(self, *, how: How = "whole", **question: Any) -> Heard:
        """Ask this worker and no other."""
        return self._ask(self.kind, how, question)

    def ask_spare(self, *, how: How = "whole", **question: Any) -> Heard:
        """Ask one like it that nobody asks again."""
        return self._ask(next(self.gateway.spares[self.kind]), how, question)

    def _ask(self, worker: str, how: How, question: dict[str, Any]) -> Heard:
        asked = Question(stream=how == "streamed", **question)
        return self.door.ask(self.gateway.url, f"{worker}/m1", asked)


@pytest.fixture(params=BASES)
def kind(request: pytest.FixtureRequest) -> str:
    """A type of remote worker."""
    return str(request.param)


@pytest.fixture(params=DOORS, ids=lambda door: door.name)
def door(request: pytest.FixtureRequest) -> ClientDoor:
    """A dialect of clients."""
    found: ClientDoor = request.param
    return found


@pytest.fixture
def talk(gateway: Gateway, door: ClientDoor, kind: str) -> Talk:
    """Each door with each remote worker."""
    return Talk(gateway, door, kind)


@pytest.fixture(params=["whole", "streamed"])
def how(request: pytest.FixtureRequest) -> How:
    """How the answer is wanted."""
    wanted: How = request.param
    return wanted


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The node, until the module ends."""
    with ExitStack() as stack:
        fakes: dict[str, FakeProvider] = {}
        workers = SCRIPTS
        environ: dict[str, str] = {}
        for kind, (dialect, path) in BASES.items():
            fake = fakes[kind] = stack.enter_context(running(dialect()))
            variable = f"KEY_OF_{kind.upper()}"
            environ[variable] = min(fake.keys, default="")
            keys = f'api_keys = ["env:{variable}"]' if fake.keys else ""
            workers += "".join(
                f'[[workers]]\nname = "{name}"\ntype = "{kind}"\n'
                f'base_url = "{fake.base_url}{path}"\nmodels = ["m1"]\n{keys}\n'
                for name in (kind, *_spares(kind))
            )
        for kind in KINDS:
            workers += (
                f'[[workers]]\nname = "scripted-{kind}"\ntype = "scripted"\n'
                f'script = [{{ fail = "{kind}" }}]\n'
            )
        workers += '[[workers]]\nname = "embedded"\ntype = "embedded"\n'
        daemon = stack.enter_context(
            running_daemon(tmp_path_factory.mktemp("matrix"), workers, environ=environ)
        )
        daemon.wait_available("embedded")
        yield Gateway(daemon, fakes, {kind: iter(_spares(kind)) for kind in BASES})


def _spares(kind: str) -> list[str]:
    return [f"{kind}-{number}" for number in range(SPARES)]
