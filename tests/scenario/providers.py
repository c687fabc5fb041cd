"""A provider of each type, on loopback, in as much trouble as the test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import attrs

from tests.fakes.scene import Refusal, Scene, Trouble
from tests.faults.upstream import ServerLoop, Upstream
from tests.matrix.conftest import BASES

FIRST_TOKEN_S: Final = 2
"""Much longer than a fake needs that is well, and short enough to wait for one that hangs."""

SECTION: Final = """
[[workers]]
name = "{name}"
type = "{name}"
base_url = "http://127.0.0.1:{port}{path}"
models = ["m1"]
api_keys = [{keys}]
priority = 10
first_token_seconds = {first_token_s}
"""

TROUBLES: Final = 4
"""In how many ways each of them can fail."""

ROUNDS: Final = 100
"""More than a provider in trouble is ever asked for."""


@attrs.frozen(eq=False)
class Provider:
    """One of them. `name`: its type, and that of its worker."""

    name: str
    upstream: Upstream
    loop: ServerLoop

    @property
    def model(self) -> str:
        """The model of this provider and no other."""
        return f"{self.name}/m1"

    @property
    def text(self) -> str:
        """What it says when it is well."""
        return f"This is {self.name} at your service"

    @property
    def section(self) -> str:
        """Its worker, for the node's configuration."""
        has_keys = bool(self.upstream.fake.keys)
        return SECTION.format(
            name=self.name,
            port=self.upstream.port,
            path=BASES[self.name][1],
            keys=f'"env:{self.key_variable}"' if has_keys else "",
            first_token_s=FIRST_TOKEN_S,
        )

    @property
    def key_variable(self) -> str:
        """Where its key is, in the node's environment."""
        return f"KEY_OF_{self.name.upper()}"

    def be_well(self) -> None:
        """Answer whatever is asked."""
        self.upstream.fake.refusal = None
        self._play(Scene.text(self.text))

    def be_in_trouble(self) -> None:
        """Have a rate limit, a time-out, an error and a disconnect, one a request."""
        self._play(*self._troubles() * ROUNDS)

    def be_down(self, trouble: int) -> None:
        """Have one of those troubles at all requests, and fail checks of its health."""
        self.upstream.fake.refusal = Refusal(Trouble.OVERLOADED)
        self._play(self._troubles()[trouble % TROUBLES])

    def _troubles(self) -> tuple[Scene, ...]:
        answer = Scene.text(self.text)
        return (
            Scene.refuse(Trouble.RATE_LIMIT, retry_after_s=1),
            answer.hang(after_pieces=0),
            Scene.refuse(Trouble.SERVER_ERROR),
            answer.cut(after_pieces=2, reset=True),
        )

    def _play(self, *scenes: Scene) -> None:
        # Where the fake plays them: it must not find the list exchanged while it takes from it.
        self.loop.run(partial(self.upstream.fake.play, *scenes))


def hire_all(loop: ServerLoop) -> tuple[Provider, ...]:
    """One of each type, all of them well."""
    providers = tuple(
        Provider(name, loop.upstream(dialect()), loop) for name, (dialect, _) in BASES.items()
    )
    for provider in providers:
        provider.be_well()
    return providers


def keys_of(providers: tuple[Provider, ...]) -> dict[str, str]:
    """The environment of a node that may use them."""
    return {each.key_variable: min(each.upstream.fake.keys, default="") for each in providers}


@contextmanager
def all_down(providers: tuple[Provider, ...]) -> Iterator[None]:
    """All at once, each in its own way; the first one cannot even be connected to."""
    first, *others = providers
    for number, provider in enumerate(others):
        provider.be_down(number)
    with first.upstream.refusing():
        yield
    for provider in others:
        provider.be_well()
