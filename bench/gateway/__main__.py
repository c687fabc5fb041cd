"""The command: starts everything, measures, prints, and leaves nothing behind."""

import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import click
import trio

from bench.comparison import render
from bench.gateway.awake import keep_awake
from bench.gateway.process import NotRunning, Running, running
from bench.gateway.report import Rounds, compare, render_costs
from bench.gateway.rounds import Measured, Sizes, run_rounds
from bench.gateway.script import WrongAnswer
from bench.gateway.subjects import SET_UPS, NotInstalled, Subject
from bench.gateway.upstream import serve_connection

LITELLM_FEWER: Final = 4
"""A request costs LiteLLM so much that a quarter of them measures it as well as all."""

EXIT_OK: Final = 0
EXIT_NOT_SHOWN: Final = 1
EXIT_INTERRUPTED: Final = 130

_EPILOG: Final = """
\b
Examples:
  python -m bench.gateway                        the full measurement, about two minutes
  python -m bench.gateway --rounds 1             a first look
  python -m bench.gateway --interval 0.1         a slower model

\b
Exit codes:
  0    all was measured, and cortexd is within its budgets
  1    over a budget, or not all could be measured; the last lines say which
  2    the command line is wrong
  130  interrupted
"""


@attrs.frozen
class Outcome:
    """What was measured, and what stood in the way of the rest."""

    rounds: Rounds
    problems: list[str]


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds.")
@click.option(
    "--requests",
    type=click.IntRange(1),
    default=640,
    show_default=True,
    help="Short requests in each round; LiteLLM gets a quarter of them.",
)
@click.option(
    "--connections",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Clients that ask short requests at the same time.",
)
@click.option(
    "--streams",
    type=click.IntRange(1, 1000),
    default=24,
    show_default=True,
    help="Paced streams in each round. With many more than these LiteLLM cannot keep pace; pieces "
    "that pile up before it are cheaper for it.",
)
@click.option(
    "--pieces",
    type=click.IntRange(8),
    default=64,
    show_default=True,
    help="Pieces of each stream.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.001),
    default=0.03,
    show_default=True,
    help="Seconds between two pieces.",
)
def main(  # noqa: PLR0913  an argument for each option
    *, rounds: int, requests: int, connections: int, streams: int, pieces: int, interval: float
) -> None:
    """Measure what cortexd costs beside LiteLLM's proxy and nginx.

    Each of the three is one process on the first core, in front of the same scripted model server,
    which shares the last core with the clients. In every round each is given the same work in turn:
    short chats that are answered whole, and streams whose pieces come at the pace of a model. What
    counts is the CPU time, user and system, of the gateway's processes, on a core that is kept from
    falling asleep. Every answer is checked to the letter; a wrong one ends the measurement.

    "paced piece" is all that the streams cost, shared out among their pieces; "alone" is without
    their beginning and end, from the difference between longer and shorter streams.
    """
    sizes = Sizes(
        requests=requests,
        connections=connections,
        streams=streams,
        pieces=pieces,
        interval_s=interval,
    )
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        outcome = trio.run(_until_interrupted, sizes, rounds, Path(folder))
    if outcome is None:
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(_show(outcome))


def _show(outcome: Outcome) -> int:
    comparisons = compare(outcome.rounds) if outcome.rounds else []
    if outcome.rounds:
        click.echo(f"\n{render_costs(outcome.rounds)}")
    if comparisons:
        click.echo(f"\n{render(comparisons)}")
    for problem in outcome.problems:
        click.echo(f"\nnot shown: {problem}")
    within = all(each.is_within_budget for each in comparisons)
    return EXIT_OK if within and not outcome.problems else EXIT_NOT_SHOWN


async def _until_interrupted(sizes: Sizes, count: int, folder: Path) -> Outcome | None:
    """The outcome, or `None` at SIGINT or SIGTERM, when all that was started has been ended."""
    outcome = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_at, signals, nursery.cancel_scope)
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(partial(trio.serve_listeners, serve_connection, listeners))
            port = listeners[0].socket.getsockname()[1]
            outcome = await _measure(sizes, count, folder, upstream_port=port)
            nursery.cancel_scope.cancel()
    return outcome


async def _cancel_at(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


async def _measure(sizes: Sizes, count: int, folder: Path, *, upstream_port: int) -> Outcome:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    problems = (
        [] if len(cores) > 1 else ["there is but one core, so the gateways share it with the load"]
    )
    subjects = _set_up(folder, upstream_port, problems)
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(running(subject, folder, core=cores[0]))
            for subject in subjects
        ]
        click.echo(f"starting {', '.join(subject.name for subject in subjects)}")
        measured = [
            Measured(gateway, _sizes_of(gateway.subject, sizes))
            for gateway in started
            if await _is_ready(gateway, problems)
        ]
        if not any(each.name == "cortexd" for each in measured):
            return Outcome([], problems)
        await stack.enter_async_context(keep_awake(cores[0]))
        try:
            return Outcome(await run_rounds(measured, count, click.echo), problems)
        except (NotRunning, WrongAnswer) as exc:
            return Outcome([], [*problems, str(exc)])


def _set_up(folder: Path, upstream_port: int, problems: list[str]) -> list[Subject]:
    subjects = []
    for set_up in SET_UPS:
        try:
            subjects.append(set_up(folder, upstream_port))
        except NotInstalled as exc:
            problems.append(str(exc))
    return subjects


def _sizes_of(subject: Subject, sizes: Sizes) -> Sizes:
    if subject.name != "LiteLLM":
        return sizes
    return attrs.evolve(sizes, requests=sizes.requests // LITELLM_FEWER)


async def _is_ready(gateway: Running, problems: list[str]) -> bool:
    try:
        await gateway.wait_ready()
    except NotRunning as exc:
        problems.append(str(exc))
        return False
    click.echo(f"  {gateway.subject.name} answers")
    return True


if __name__ == "__main__":
    main()
