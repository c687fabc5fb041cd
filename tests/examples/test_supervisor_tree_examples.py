"""The example programs of supervisor_tree run, end by themselves, and print what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "supervisor_tree"
SECONDS_MAX = 30
LINES_MAX = 100

pytestmark = [pytest.mark.real_time, pytest.mark.slow]


def _run(name: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        timeout=SECONDS_MAX,
    )
    assert (ended.stderr, ended.returncode) == ("", 0)
    return ended.stdout.splitlines()


def test_a_restart() -> None:
    """After its crash the actor is another one, and answers to the same reference."""
    assert _run("restart.py") == [
        "8 / 2 = 4.0",
        "incarnation 1 has divided 1 times",
        "the divider died of ZeroDivisionError('division by zero')",
        "9 / 3 = 3.0",
        "incarnation 2 has divided 1 times",
    ]


def test_a_rest_for_one_chain() -> None:
    """The crash in the middle takes the last with it and leaves the first alone."""
    assert _run("rest_for_one.py") == [
        "count: 40",
        "    - root/counter (crashed)",
        "crash: unsupported operand type(s) for +=: 'int' and 'str'",
        "    display cleans up after: shutdown",
        "    - root/display (shutdown)",
        "    + root/counter (incarnation 2)",
        "    + root/display (incarnation 2)",
        "count: 42",
        "the tree stops, last child first",
        "    display cleans up after: shutdown",
        "    - root/display (shutdown)",
        "    - root/counter (shutdown)",
        "    - root/keeper (shutdown)",
    ]


def test_a_dynamic_pool() -> None:
    """A worker's crash costs one answer; answers come in any order."""
    first, *answers, worker_1, worker_2, worker_3, last = _run("dynamic_pool.py")
    assert first == "a fourth worker: root/pool runs 3 children already"
    assert sorted(answers[:3]) == [
        "12² = 144",
        "13² is unknown: no worker survives 13",
        "14² = 196",
    ]
    assert sorted(answers[3:]) == ["15² = 225", "16² = 256", "17² = 289"]
    assert [worker_1, worker_2, worker_3] == [
        "root/pool/Worker is incarnation 1",
        "root/pool/Worker#2 is incarnation 2",
        "root/pool/Worker#3 is incarnation 1",
    ]
    assert last == "2 workers are left"


def test_a_deferred_reply() -> None:
    """The actor answers while two fetches are under way for three readers."""
    assert _run("deferred_reply.py") == [
        "3 waiting, 0 fetched",
        "ada reads all about looms",
        "bob reads all about looms",
        "eve reads all about locks",
        "0 waiting, 2 fetched",
    ]


def test_a_tree_drawn_live() -> None:
    """Ten pictures, in which children are restarted or wait for it; then all have stopped."""
    lines = _run("live_tree.py")
    pictures = [line for line in lines if line.startswith("picture ")]
    assert pictures == [f"picture {number} of 10" for number in range(1, 11)]
    *_, last_picture = "\n".join(lines).split("\n\n")
    assert len(last_picture.splitlines()) == 8
    assert all(re.match(r" *○ \w+ +stopped ", line) for line in last_picture.splitlines())
    restarted = re.search(r"middle +stopped +#(\d+)", last_picture)
    assert restarted is not None
    assert int(restarted[1]) > 1
    assert any(re.match(r" *↻ hopeless +restarting ", line) for line in lines)


def test_all_examples_are_run_here() -> None:
    """No example is left untested, and none is long."""
    tested = set(re.findall(r'_run\("(\w+\.py)"\)', Path(__file__).read_text(encoding="utf-8")))
    found = {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py")}
    assert set(found) == tested
    assert [name for name, text in found.items() if text.count("\n") >= LINES_MAX] == []
