"""Measures the gateways in turn: what a request and a piece of a stream cost each of them.

Rules of this file: costs are CPU time of the gateway. Those that will be compared are measured
right after each other, because the machine's own speed changes.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, unique
from typing import Final, TypeAlias

import attrs
import trio

from bench.gateway.load import Load, put_on
from bench.gateway.process import NotRunning, Running
from bench.gateway.script import Script, WrongAnswer

SETTLE_S: Final = 0.25
"""What a gateway still does right after an answer belongs to the answer."""

BRIEF_SHARE: Final = 4
"""How many times as long the long streams are as the brief ones."""


@unique
class Unit(Enum):
    """What a cost is the cost of."""

    REQUEST = "short request"
    PIECE = "paced piece"
    PIECE_ALONE = "paced piece, alone"  # without its share of the stream's beginning and end


Costs: TypeAlias = Mapping[Unit, float]
"""Seconds of CPU time for each unit."""


@attrs.frozen(kw_only=True)
class Sizes:
    """How much each measurement is.

    `requests` over so many `connections`; `streams` at once, of so many `pieces` with `interval_s`
    between them.
    """

    requests: int
    connections: int
    streams: int
    pieces: int
    interval_s: float

    @property
    def short(self) -> Load:
        """Requests of one small answer that is sent whole."""
        return Load(
            script=Script(pieces=1),
            connections=self.connections,
            requests_each=max(1, self.requests // self.connections),
        )

    @property
    def long(self) -> Load:
        """Streams at the pace of a model."""
        return self._paced(self.pieces)

    @property
    def brief(self) -> Load:
        """The same, but shorter: what the difference in length costs is the pieces alone."""
        return self._paced(self.pieces // BRIEF_SHARE)

    def _paced(self, pieces: int) -> Load:
        return Load(
            script=Script(pieces, self.interval_s, stream=True),
            connections=self.streams,
            requests_each=1,
            # All streams at once would keep a gateway behind for a while, and the pieces it is
            # late with come to it in bursts, which cost less than one by one.
            ramp_s=self.pieces * self.interval_s / 2,
        )


@attrs.frozen
class Measured:
    """A gateway and how much it is measured with."""

    gateway: Running
    sizes: Sizes

    @property
    def name(self) -> str:
        """The gateway's."""
        return self.gateway.subject.name

    async def cpu_seconds(self, load: Load) -> float:
        """What the gateway takes for a load. Raises `WrongAnswer` and `NotRunning`."""
        begin = self.gateway.cpu_clocks()
        try:
            await put_on(self.gateway.subject.port, load)
        except (OSError, WrongAnswer) as exc:
            raise WrongAnswer(f"{self.name} answered wrongly: {exc}") from exc
        await trio.sleep(SETTLE_S)
        end = self.gateway.cpu_clocks()
        if begin.keys() != end.keys():
            # The time of a process that has ended is lost with its clock.
            raise NotRunning(f"{self.name} started or ended processes while it was measured")
        return sum(end.values()) - sum(begin.values())


async def run_round(measured: Sequence[Measured]) -> dict[str, Costs]:
    """The costs of each gateway, by its name.

    Errors: `WrongAnswer`, `NotRunning`.
    """
    short = {each.name: await each.cpu_seconds(each.sizes.short) for each in measured}
    long = {each.name: await each.cpu_seconds(each.sizes.long) for each in measured}
    brief = {each.name: await each.cpu_seconds(each.sizes.brief) for each in measured}
    return {
        each.name: costs(each.sizes, short[each.name], long[each.name], brief[each.name])
        for each in measured
    }


def costs(sizes: Sizes, short_s: float, long_s: float, brief_s: float) -> Costs:
    """What each unit has cost, from the CPU seconds for the three loads."""
    return {
        Unit.REQUEST: short_s / sizes.short.requests,
        Unit.PIECE: long_s / sizes.long.pieces,
        Unit.PIECE_ALONE: (long_s - brief_s) / (sizes.long.pieces - sizes.brief.pieces),
    }


async def run_rounds(
    measured: Sequence[Measured], count: int, tell: Callable[[str], object]
) -> list[dict[str, Costs]]:
    """So many rounds, after some work to warm up; `tell` is told how it goes.

    Errors: `WrongAnswer`, `NotRunning`.
    """
    tell("warming up")
    for each in measured:
        await each.cpu_seconds(each.sizes.short)
        await each.cpu_seconds(each.sizes.brief)
    rounds: list[dict[str, Costs]] = []
    for number in range(1, count + 1):
        rounds.append(await run_round(measured))
        tell(f"round {number} of {count}: {in_words(rounds[-1])}")
    return rounds


def in_words(round_: Mapping[str, Costs]) -> str:
    """The costs of one round in a line."""
    return ", ".join(
        f"{name} {of[Unit.REQUEST] * 1e6:.0f} µs a request and {of[Unit.PIECE] * 1e6:.0f} a piece"
        for name, of in round_.items()
    )
