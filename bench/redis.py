"""What clients notice of a Redis that is killed, or frozen, against its budget.

Two nodes, each with a Redis of its own, are asked in turn, over and over (see `bench/pairs.py`),
what is in no cache, with a key that has a limit: each request looks for the answer in Redis, spends
there, and leaves its answer. At first both Redises are well, which shows how much two equal nodes
differ. Then that of one node is killed, started again, and frozen.

Times count from when the node has given its link up. It goes on trying to connect, all the while,
and whatever that costs is in the times. Exits with 1 if something is over its budget, or if what is
measured says nothing: two equal nodes must hardly differ, and the one whose Redis is well must not
get slower meanwhile.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

import attrs

from bench.linked_node import LinkedNode, running_linked_node
from bench.pairs import Figure, NotMeasured, Pairs, Seconds, ask_in_turn, median, p99, row
from cortexd.cluster.redis_link import CONNECT_S_MAX, WAIT_S_MAX

PAIRS_MIN: Final = 1_000
PAIRS_WARM_UP: Final = 200

TRIALS_MIN: Final = 3
"""So often at least a node tries to connect to a Redis that is gone, while it is measured."""

PHASE_S: Final = TRIALS_MIN * (CONNECT_S_MAX + 1.2 * WAIT_S_MAX)
"""The waits of the link are drawn at random, and up to a fifth longer than this."""

ADDED_S_MAX: Final = 0.005
"""By how much longer the slowest hundredth of the requests may take without Redis than with it; so
may the usual one, which shows a wait that all of them have, and hardly depends on the machine."""

SCRIPTS_MIN: Final = 3
"""What each request has Redis do: spend of the limit, look for the answer or claim it, keep it."""

AS_MEANT_MIN: Final = 0.99
"""Of so many requests it must be so; Redis itself may be late for one on a busy machine."""

P99: Final = Figure("p99", p99, ADDED_S_MAX)
FIGURES: Final = (Figure("median", median, ADDED_S_MAX), P99, Figure("slowest", max))


@attrs.frozen
class Lost:
    """A Redis was lost: the requests until the link was given up, and the pairs from then on."""

    before: Seconds
    pairs: Pairs


@attrs.frozen
class Measured:
    """`trials`: how often the node tried to connect to its frozen Redis."""

    well: Pairs
    killed: Lost
    frozen: Lost
    trials: int

    @property
    def verdict(self) -> str:
        """`ok`, `over` some budget, or `too busy`: other work may have hidden what was added."""
        lost = (self.killed.pairs, self.frozen.pairs)
        if not all(_is_within_budget(pairs) for pairs in lost):
            return "over"
        slowed_s = max(P99.of(pairs.reference) for pairs in lost) - P99.of(self.well.reference)
        noise_s = max(slowed_s, abs(self.well.added_s(P99)))
        return "too busy" if noise_s > ADDED_S_MAX else "ok"


def _is_within_budget(pairs: Pairs) -> bool:
    return all(f.budget is None or pairs.added_s(f) <= f.budget for f in FIGURES)


def render(measured: Measured) -> str:
    """A table of what is added to the times, of their p99, and what the table leaves out."""
    killed, frozen = measured.killed, measured.frozen
    lines = [
        row("added, in ms", [*(figure.name for figure in FIGURES), "p99 with", "without"]),
        _row("well", measured.well),
        _row("killed", killed.pairs),
        _row("frozen", frozen.pairs),
        row("budget", [_budget(figure) for figure in FIGURES]),
        row("verdict", [measured.verdict]),
        "",
        "p99 with, without: of the node whose Redis is well all the time, and of the other one",
        f"before the link was given up, not in the table: {_before('killed', killed)}; "
        + _before("frozen", frozen),
        f"in the table: all trials to connect, {measured.trials} of them to the frozen one",
    ]
    return "\n".join(lines)


def _row(name: str, pairs: Pairs) -> str:
    added = [f"{1000 * pairs.added_s(figure):+.2f}" for figure in FIGURES]
    both = [f"{1000 * P99.of(times):.2f}" for times in (pairs.reference, pairs.subject)]
    return row(name, [*added, *both])


def _budget(figure: Figure) -> str:
    return "none" if figure.budget is None else f"{1000 * figure.budget:.2f}"


def _before(name: str, lost: Lost) -> str:
    times = ", ".join(f"{1000 * each:.0f} ms" for each in lost.before)
    return f"{name}: {times or 'no request'}"


@attrs.frozen(eq=False)
class Both:
    """The nodes to be held against each other. Both methods raise `NotMeasured`."""

    reference: LinkedNode
    subject: LinkedNode

    def ask(self, pairs: int, *, lasting_s: float = 0.0, brings: str = "l2_misses") -> Pairs:
        """Ask in turn; `brings`: what the looks of the subject into Redis must have brought."""
        sides = {self.reference: "l2_misses", self.subject: brings}
        before = {side: side.looks() for side in sides}
        times = ask_in_turn(self.reference.client, self.subject.client, pairs, lasting_s=lasting_s)
        for side, kind in sides.items():
            share = (side.looks()[kind] - before[side][kind]) / len(times.subject)
            if share < AS_MEANT_MIN:
                raise NotMeasured(f"{kind}: only {share:.1%} of the requests")
        return times

    def ask_well(self) -> Pairs:
        """With both Redises well, and at work for each request."""
        sides = (self.reference, self.subject)
        before = [side.scripts() for side in sides]
        times = self.ask(PAIRS_MIN, lasting_s=PHASE_S)
        for side, scripts in zip(sides, before, strict=True):
            each = (side.scripts() - scripts) / len(times.subject)
            if each < SCRIPTS_MIN * AS_MEANT_MIN:
                raise NotMeasured(f"Redis ran only {each:.2f} scripts for each request")
        return times

    def ask_lost(self) -> Lost:
        """With the Redis of the subject gone, from when that has been noticed."""
        subject = self.subject
        before = subject.ask_until(lambda: not subject.is_linked(), "given up")
        pairs = self.ask(PAIRS_MIN, lasting_s=PHASE_S, brings="l2_failed")
        if subject.is_linked():
            raise NotMeasured("the node has found a Redis that was gone")
        return Lost(before, pairs)


def measure(folder: Path) -> Measured:
    """Well, killed, and frozen. Raises `NotMeasured`."""
    with (
        running_linked_node(folder / "reference") as reference,
        running_linked_node(folder / "subject") as subject,
    ):
        both = Both(reference, subject)
        both.ask(PAIRS_WARM_UP)
        well = both.ask_well()
        subject.redis.kill()
        killed = both.ask_lost()
        subject.redis.start()
        subject.ask_until(subject.is_member, "a member again")
        both.ask(PAIRS_WARM_UP)
        connections = subject.connections()
        subject.redis.freeze()
        frozen = both.ask_lost()
        subject.redis.thaw()
        # The one that asks is one, too.
        trials = subject.connections() - connections - 1
        if trials < TRIALS_MIN:
            raise NotMeasured(f"the node tried only {trials} times to connect")
    return Measured(well, killed, frozen, trials)


def main() -> int:
    """Print the table; 1 if something is over its budget, or could not be measured."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
            measured = measure(Path(folder))
    except NotMeasured as exc:
        print(f"not shown: {exc}")  # noqa: T201  # a command's output
        return 1
    print(render(measured))  # noqa: T201  # as above
    return 0 if measured.verdict == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
