"""Plays many seeds: `python -m tests.simulation.run --seeds 1000`, or one: `--seed 17`.

Stops at the first seed that breaks an invariant, prints its history, and exits with 1.
"""

import argparse
import sys
import time
from collections import Counter
from typing import Final

from tests.simulation.answers import Ending
from tests.simulation.simulate import Run, simulate

TOLD_EVERY: Final = 50


def main() -> int:
    """Play what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one, and print its history")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a violation")
    options = parser.parse_args()
    if options.seed is not None:
        run = simulate(options.seed)
        _tell(report(run))
        return bool(run.history.violations)
    seeds = range(options.first, options.first + options.seeds)
    return _play_all(seeds, keep_going=options.keep_going)


def report(run: Run) -> str:
    """The history of a run, and what was wrong with it."""
    lines = [*run.history.lines, "", f"seed {run.seed}: {_summary(run.endings)}"]
    lines += [f"VIOLATION {violation}" for violation in run.history.violations]
    return "\n".join(lines)


def _play_all(seeds: range, *, keep_going: bool) -> int:
    began_at = time.perf_counter()
    endings: Counter[Ending] = Counter()
    failed: list[int] = []
    for played, seed in enumerate(seeds, start=1):
        run = simulate(seed)
        endings += run.endings
        if run.history.violations:
            failed.append(seed)
            if not keep_going:
                _tell(report(run))
                break
            _tell(f"seed {seed}: {run.history.violations[0]}")
        if played % TOLD_EVERY == 0:
            took_s = time.perf_counter() - began_at
            _tell(f"{played} seeds, {took_s:.0f} s: {_summary(endings)}")
    _tell(f"failed: {failed}" if failed else f"{len(seeds)} seeds, no violation")
    return bool(failed)


def _summary(endings: Counter[Ending]) -> str:
    return ", ".join(f"{endings[ending]} {ending.name.lower()}" for ending in Ending)


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201  for people


if __name__ == "__main__":
    sys.exit(main())
