"""The command: starts nodes, lets k6 play users, prints the verdict, and leaves nothing behind."""

import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import click
import trio

from bench.gateway.process import NotRunning
from bench.load.limit import highest_held, next_users
from bench.load.nodes import Answer, Target, running_nodes, warm_up
from bench.load.plan import Plan
from bench.load.report import in_a_line, others_cores, render
from bench.load.run import LoadTest, run_load_test

OTHERS_CORES_MAX: Final = 0.2
"""With more than that, the limit that was found is not that of the nodes."""

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130

_EPILOG: Final = """
\b
Examples:
  python -m bench.load --users 500                        two nodes, about a minute and a half
  python -m bench.load --users 20 --ramp 2 --hold 10      a first look
  python -m bench.load --find-limit                       the most users they bear, ten minutes
  python -m bench.load --users 50 --url http://10.0.0.5:4000 --model llama3.2

\b
Exit codes:
  0    all thresholds were kept; with --find-limit: some number of users was held
  1    one was crossed, or the test could not be made; the last lines say which
  2    the command line is wrong
  130  interrupted
"""


@attrs.frozen(kw_only=True)
class Wish:
    """What the command line asks for.

    `there`: an existing system, instead of `nodes` new ones whose model gives this `answer`.
    `sample_s`: how often those sample themselves. `finds_limit`: as many tests as it takes, the
    first one with the users of the `plan`; else that one alone.
    """

    plan: Plan
    there: Target | None
    nodes: int
    answer: Answer
    sample_s: float
    finds_limit: bool


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--users", type=click.IntRange(1), default=200, show_default=True, help="Users.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 16),
    default=2,
    show_default=True,
    help="Nodes that are started on one port of this machine.",
)
@click.option(
    "--ramp",
    type=click.FloatRange(0.1, 3600),
    default=20,
    show_default=True,
    help="Seconds in which the users come.",
)
@click.option(
    "--hold",
    type=click.FloatRange(1, 86_400),
    default=60,
    show_default=True,
    help="Seconds for which they stay.",
)
@click.option("--url", help="Test the system there instead of nodes that are started for it.")
@click.option("--model", default="auto", show_default=True, help="What users ask for there.")
@click.option(
    "--key",
    default="",
    envvar="LOAD_TEST_KEY",
    show_envvar=True,
    help="What users show there.",
)
@click.option(
    "--first-token",
    type=click.FloatRange(0, 60),
    default=0.2,
    show_default=True,
    help="Seconds until the model says its first word.",
)
@click.option(
    "--words",
    type=click.IntRange(1, 10_000),
    default=40,
    show_default=True,
    help="How many words it says.",
)
@click.option(
    "--pace",
    type=click.FloatRange(0, 10),
    default=0.02,
    show_default=True,
    help="Seconds for each of them.",
)
@click.option(
    "--sample",
    type=click.FloatRange(1, 3600),
    default=5,
    show_default=True,
    help="Seconds between two samples of a node's load monitor.",
)
@click.option("--find-limit", is_flag=True, help="Find the highest number of users that is held.")
def main(  # noqa: PLR0913  an argument for each option
    *,
    users: int,
    nodes: int,
    ramp: float,
    hold: float,
    url: str | None,
    model: str,
    key: str,
    first_token: float,
    words: int,
    pace: float,
    sample: float,
    find_limit: bool,
) -> None:
    """Let many users chat with nodes of cortexd, and see whether they are served well.

    k6 plays the users: nine in ten requests are chats, one asks for the health; between two of them
    a user thinks for one to three seconds. Half of the chats are streamed. A chat counts only if it
    is whole. The thresholds: 95 of 100 chats take less than two seconds from the request to the
    last byte, and fewer than 5 % of the requests go wrong.

    The nodes' models are scripted, so that a chat without any load takes --first-token and --words
    times --pace seconds. Nodes and k6 share this machine: the line on cores says who needs how much
    of it.
    """
    wish = Wish(
        plan=Plan(users=users, ramp_s=ramp, hold_s=hold),
        there=None if url is None else Target(url=url.rstrip("/"), model=model, key=key),
        nodes=nodes,
        answer=Answer(first_token_s=first_token, words=words, word_s=pace),
        sample_s=sample,
        finds_limit=find_limit,
    )
    code = trio.run(_until_interrupted, wish)
    if code is None:
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(code)


async def _until_interrupted(wish: Wish) -> int | None:
    """The exit code, or `None` at SIGINT or SIGTERM, when all that was started has been ended."""
    code = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_at, signals, nursery.cancel_scope)
            try:
                code = await (_find_limit(wish) if wish.finds_limit else _test_once(wish))
            except NotRunning as exc:
                click.echo(f"FAILED: {exc}", err=True)
                code = EXIT_FAILED
            nursery.cancel_scope.cancel()
    return code


async def _cancel_at(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


async def _test_once(wish: Wish) -> int:
    test = await _test(wish, wish.plan.users)
    click.echo(f"\n{render(test)}")
    return EXIT_OK if test.figures.is_good else EXIT_FAILED


async def _find_limit(wish: Wish) -> int:
    tried: dict[int, bool] = {}
    others = 0.0
    while (users := next_users(tried, wish.plan.users)) is not None:
        test = await _test(wish, users)
        tried[users] = test.figures.is_good
        others = max(others, others_cores(test))
        click.echo(f"== {in_a_line(test)}")
    held = highest_held(tried)
    click.echo(f"\nthe highest number of users that was held: {held or 'none'}")
    if others > OTHERS_CORES_MAX:
        click.echo(
            f"other programs kept up to {others:.1f} cores busy: measure again on a quiet machine"
        )
    return EXIT_OK if held else EXIT_FAILED


async def _test(wish: Wish, users: int) -> LoadTest:
    plan = attrs.evolve(wish.plan, users=users)
    with tempfile.TemporaryDirectory(prefix="bench-load-") as name:
        folder = Path(name)
        async with _target(wish, folder) as target:
            click.echo("warming up")
            await warm_up(target)
            click.echo(f"{users} users for {plan.total_s:.0f} s at {target.url}")
            return await run_load_test(
                plan, target, folder, sample_s=wish.sample_s, tell=click.echo
            )


@asynccontextmanager
async def _target(wish: Wish, folder: Path) -> AsyncIterator[Target]:
    if wish.there is not None:
        yield wish.there
        return
    click.echo(f"starting {wish.nodes} nodes" if wish.nodes > 1 else "starting a node")
    async with running_nodes(wish.nodes, wish.answer, folder) as target:
        yield target


if __name__ == "__main__":
    main()
