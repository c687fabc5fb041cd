"""What an upstream may do instead of answering as it should."""

from itertools import pairwise
from typing import Final

import attrs
import trio

from tests.fakes.server import Reply
from tests.faults.upstream_wire import LAST_CHUNK, Fault, Wire, begin, chunk, play

NOISE_S: Final = 0.02
"""Between two pieces of noise: much less than any limit of a worker here."""


async def never_answer(wire: Wire, reply: Reply) -> None:
    """Take the request and say nothing."""
    await wire.wait_left()


async def head_alone(wire: Wire, reply: Reply) -> None:
    """Say that an answer comes, and nothing more."""
    await begin(wire, attrs.evolve(reply, pieces=(), length=1))
    await wire.wait_left()


async def hang_up(wire: Wire, reply: Reply) -> None:
    """Close the connection instead of answering."""
    wire.hang_up()
    await trio.lowlevel.checkpoint()


async def reset(wire: Wire, reply: Reply) -> None:
    """Break the connection instead of answering."""
    wire.hang_up(reset=True)
    await trio.lowlevel.checkpoint()


async def truncated(wire: Wire, reply: Reply) -> None:
    """Send half of the body as if it were all."""
    body = b"".join(reply.pieces)
    await play(wire, Reply(reply.status, reply.headers, (body[: len(body) // 2],)))


def instead(reply: Reply) -> Fault:
    """Answer this and nothing else."""

    async def fault(wire: Wire, _good: Reply) -> None:
        await play(wire, reply)

    return fault


def bare(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer with that status, body, and headers, whose names may have `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return instead(Reply(status, named, (body,)))


def headed(**headers: str) -> Fault:
    """Answer as the fake would, with more headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fault(wire: Wire, reply: Reply) -> None:
        await play(wire, attrs.evolve(reply, headers=reply.headers | named))

    return fault


def first(fault: Fault, *, times: int = 1) -> Fault:
    """Be well again after so many requests."""

    async def recovering(wire: Wire, reply: Reply) -> None:
        sick = len(wire.upstream.asked) <= times
        await (fault if sick else play)(wire, reply)

    return recovering


def broken_by(*, reset: bool = False, length: int | None = None) -> Fault:
    """Lose the connection once the client has seen what came before the break.

    `length`: what the head promises, instead of chunks.
    """

    async def fault(wire: Wire, reply: Reply) -> None:
        is_streamed = length is None
        await begin(wire, attrs.evolve(reply, is_streamed=is_streamed, length=length or 0))
        await wire.wait_released()
        wire.hang_up(reset=reset)

    return fault


def broken_with(last: bytes) -> Fault:
    """Send this as the end of the body, once the client has seen what came before the break."""

    async def fault(wire: Wire, reply: Reply) -> None:
        await begin(wire, reply)
        await wire.wait_released()
        await wire.send(chunk(last) if last else b"", LAST_CHUNK)

    return fault


async def fall_silent(wire: Wire, reply: Reply) -> None:
    """Say nothing more behind what came before the break."""
    await begin(wire, reply)
    await wire.wait_left()


def endless(piece: bytes, *, pause_s: float = NOISE_S) -> Fault:
    """Send this over and over behind what came before the break."""

    async def fault(wire: Wire, reply: Reply) -> None:
        await begin(wire, reply)
        while True:
            await wire.send(chunk(piece))
            await trio.sleep(pause_s)

    return fault


def split(places: tuple[int, ...], *, pause_s: float = 0.0) -> Fault:
    """The whole answer as it is, but in chunks that end at these bytes.

    `pause_s`: between two of them, so that they come in reads of their own.
    """

    async def fault(wire: Wire, reply: Reply) -> None:
        body = b"".join(reply.pieces)
        await begin(wire, attrs.evolve(reply, pieces=()))
        for start, end in pairwise((0, *places, len(body))):
            await wire.send(chunk(body[start:end]))
            await trio.sleep(pause_s)
        await wire.send(LAST_CHUNK)

    return fault
