"""Asks pyright how much of supervisor_tree has types that every type checker sees alike.

Run by `make types`; fails below the floor, and names what is missing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = "supervisor_tree"
SCORE_MIN = 0.99
ROOT = Path(__file__).parents[2]
PYRIGHT = (sys.executable, "-m", "pyright")


def main() -> str | None:
    """Print the score, and return what is wrong with it."""
    report = ask_pyright()
    score = float(report["typeCompleteness"]["completenessScore"])
    print(f"{PACKAGE}: {score:.1%} of the symbols are fully typed")  # noqa: T201  # a command's output
    if score >= SCORE_MIN:
        return None
    return "\n".join((*problems(report), f"{PACKAGE}: at least {SCORE_MIN:.0%} are due"))


def ask_pyright() -> dict[str, Any]:
    """Have pyright verify the package as a user's program finds it."""
    # What is installed is what the first python on PATH can import.
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        (*PYRIGHT, "--outputjson", "--ignoreexternal", "--verifytypes", PACKAGE),
        env=environment,
        capture_output=True,
        text=True,
        check=False,  # anything below 100 % is an error to it
    )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.exit(f"pyright failed:\n{done.stdout}{done.stderr}")
    return report


def problems(report: Mapping[str, Any]) -> Iterator[str]:
    """Describe what has no type of its own; what merely refers to that is left out."""
    for problem in report["generalDiagnostics"]:
        yield str(problem["message"])
    for symbol in report["typeCompleteness"]["symbols"]:
        for problem in symbol["diagnostics"]:
            what, _, detail = str(problem["message"]).partition("\n")
            if "partially unknown" not in what:
                yield f"{symbol['name']}: {what} {detail.strip()}"


if __name__ == "__main__":
    sys.exit(main())
