"""The README of supervisor_tree: what it shows runs, and prints what it says."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import supervisor_tree

README = Path(supervisor_tree.__file__).with_name("README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS_MAX = 30


def _programs() -> list[tuple[str, str, str]]:
    """Each Python block: the section it is in, the block, and the text that has to follow it."""
    programs = []
    for section in re.split(r"^## ", README, flags=re.MULTILINE):
        heading = section.partition("\n")[0]
        blocks = BLOCK.findall(section)
        pairs = itertools.zip_longest(blocks, blocks[1:], fillvalue=("nothing", ""))
        for (language, source), (next_language, output) in pairs:
            if language == "python":
                assert next_language == "text", f"no output is given for:\n{source}"
                programs.append((heading, source, output))
    return programs


def test_it_has_programs() -> None:
    """The blocks are found at all, and none is left out."""
    assert len(_programs()) == README.count("```python") > 10


@pytest.mark.real_time
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "output"),
    [pytest.param(source, output, id=section) for section, source, output in _programs()],
)
def test_a_program_prints_what_follows_it(source: str, output: str) -> None:
    """Every block is complete, gives no warning, and its output is the one on the page."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        timeout=SECONDS_MAX,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == (output, "", 0)


def test_the_errors_are_all_listed() -> None:
    """No error of the package is missing from the table."""
    section = README.partition("## Errors")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(\w+)`", section))
    public = {
        name
        for name, thing in vars(supervisor_tree).items()
        if isinstance(thing, type) and issubclass(thing, Exception)
    }
    assert listed - {"ValueError", "existing"} == public


def test_the_events_are_all_listed() -> None:
    """No event of the package is missing from the table."""
    section = README.partition("| event | when |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"`([A-Z]\w+)`", section))
    assert listed == {event.__name__ for event in supervisor_tree.Event.__args__}


def test_the_first_example_is_short() -> None:
    """The first program can be taken in at a glance: twenty lines, without empty ones."""
    source = _programs()[0][1]
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
