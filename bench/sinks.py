"""What clients notice of it that nobody takes what a node tells of itself, against its budget.

Two equal nodes are asked the same in turn, over and over (see `bench/pairs.py`): at first with all
sinks well, which shows how much two equal nodes differ, then with every sink of one of them stuck.
Exits with 1 if something is over its budget.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from bench.pairs import (
    TALKER,
    Client,
    Figure,
    NotMeasured,
    Pairs,
    ask_in_turn,
    median,
    p90,
    p99,
    row,
)
from tests.daemon import running_daemon
from tests.scenario.stuck_sinks import ALL, Sinks, working_sinks

PAIRS: Final = 3_000
PAIRS_WARM_UP: Final = 200

REQUESTS_BETWEEN_LOOKS: Final = 50
STUCK_S_MAX: Final = 60.0

RATIO_MAX: Final = 1.05
"""How many times as long a request may take once every sink is stuck."""

WORKERS: Final = f"""{TALKER}
[[workers]]
name = "broken"
type = "scripted"
models = ["broken"]
script = [{{ fail = "server_error" }}]
"""

FIGURES: Final = (
    Figure("median", median, RATIO_MAX),
    Figure("mean", statistics.fmean, RATIO_MAX),
    Figure("p90", p90),
    Figure("p99", p99),
)

_NOTE: Final = (
    "p90 and p99 have no budget: a few requests make them, and they differ between equal nodes, too"
)


def is_within_budget(pairs: Pairs) -> bool:
    """Whether no figure is over its own."""
    return all(figure.budget is None or pairs.ratio(figure) <= figure.budget for figure in FIGURES)


def render(well: Pairs, stuck: Pairs) -> str:
    """A table of the ratios; `well`: those of the same two nodes while nothing was stuck."""
    lines = [
        row("", [figure.name for figure in FIGURES]),
        row("well / well", [f"{well.ratio(figure):.3f}x" for figure in FIGURES]),
        row("stuck / well", [f"{stuck.ratio(figure):.3f}x" for figure in FIGURES]),
        row("budget", [_budget(figure) for figure in FIGURES]),
        row("verdict", ["ok" if is_within_budget(stuck) else "over"]),
    ]
    return "\n".join([*lines, "", _NOTE])


def _budget(figure: Figure) -> str:
    return "none" if figure.budget is None else f"{figure.budget:.3f}x"


@contextmanager
def _running(folder: Path, sinks: Sinks) -> Iterator[Client]:
    folder.mkdir()
    log, environ = sinks.log.writing, sinks.environ
    with running_daemon(folder, WORKERS + sinks.sections, environ=environ, stderr=log) as node:
        node.wait_available("talker")
        with closing(Client(node)) as client:
            yield client


def _wait_stuck(client: Client, sinks: Sinks) -> None:
    """Ask until all sinks are seen to be stuck."""
    client.post("broken/broken", stream=False)  # fails for good, so that there is something to keep
    give_up_at = time.monotonic() + STUCK_S_MAX
    while (left := ALL - sinks.stuck_ones(client.node)) and time.monotonic() < give_up_at:
        for _ in range(REQUESTS_BETWEEN_LOOKS):
            client.ask()
    if left:
        raise NotMeasured(f"not stuck after {STUCK_S_MAX:g} s: {', '.join(sorted(left))}")


def measure(folder: Path) -> tuple[Pairs, Pairs]:
    """The pairs with all sinks well, and those with every sink of one node stuck."""
    with ExitStack() as stack:
        sinks = [stack.enter_context(working_sinks()) for _ in range(2)]
        reference, subject = (
            stack.enter_context(_running(folder / str(number), each))
            for number, each in enumerate(sinks)
        )
        for each in sinks:
            each.webhook.next_document()
            each.mail.next_mail()
        ask_in_turn(reference, subject, PAIRS_WARM_UP)
        well = ask_in_turn(reference, subject, PAIRS)
        with sinks[1].stuck(subject.node):
            _wait_stuck(subject, sinks[1])
            stuck = ask_in_turn(reference, subject, PAIRS)
            if left := ALL - sinks[1].stuck_ones(subject.node):
                raise NotMeasured(f"came loose meanwhile: {', '.join(sorted(left))}")
    return well, stuck


def main() -> int:
    """Print the table; 1 if something is over its budget, or could not be measured."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-sinks-") as folder:
            well, stuck = measure(Path(folder))
    except NotMeasured as exc:
        print(f"not shown: {exc}")  # noqa: T201  # a command's output
        return 1
    print(render(well, stuck))  # noqa: T201  # as above
    return 0 if is_within_budget(stuck) else 1


if __name__ == "__main__":
    sys.exit(main())
