"""The command `cortexd`, from its command line to its exit code."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from cortexd.cli import main
from cortexd.config.schema import Config

Invoke: TypeAlias = Callable[..., Result]

_BAD = """\
[data]
bind = ["0.0.0.0:4000"]
max_connections = "80"
[[workers]]
name = "a"
type = "openai"
[[workers]]
name = "a"
type = "ollama"
api_keys = ["canary"]
[brakes]
"""


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **variables: CliRunner().invoke(main, arguments, env=variables)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Config, str]]:
    """Stand in for the node itself: note what it was started with, and give up."""
    calls: list[tuple[Config, str]] = []
    module = ModuleType("cortexd.runtime.main")

    def run(config: Config, *, log_format: str, read_config: Callable[[], Config]) -> int:
        # What a reload would read.
        assert read_config() == config
        calls.append((config, log_format))
        return 75

    module.run = run  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "cortexd.runtime.main", module)
    return calls


@pytest.mark.slow
def test_the_real_command_lists_every_problem_and_exits_with_78(tmp_path: Path) -> None:
    """Started as users start it, it names all problems with their lines, on stderr alone."""
    path = tmp_path / "cortexd.toml"
    path.write_text(_BAD, encoding="utf-8")
    command = [sys.executable, "-m", "cortexd", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    *problems, count = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (78, "")
    assert [line.split(": ")[0] for line in problems] == [
        f"{path}:2 data.bind[0]",
        f"{path}:3 data.max_connections",
        f"{path}:8 workers[1].name",
        f"{path}:10 workers[1].api_keys[0]",
        f"{path}:11 brakes",
    ]
    assert count == "5 problems in the configuration"
    assert "canary" not in done.stderr


@pytest.mark.slow
def test_checking_does_not_load_what_only_a_running_node_needs() -> None:
    """The command answers at once: no web framework and no model engine is imported."""
    code = (
        "import sys, cortexd.cli\n"
        "print({'quart', 'hypercorn', 'structlog', 'xllamacpp'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_check_prints_what_would_run(invoke: Invoke, tmp_path: Path) -> None:
    """Listeners, strategy and workers in the order they would be tried; secrets only counted."""
    Path("my.toml").write_text(
        """
        [admin]
        token = "env:TOKEN"
        [[workers]]
        name = "last"
        type = "embedded"
        [[workers]]
        name = "gpu"
        type = "openai"
        base_url = "http://localhost:8000/v1"
        models = ["m1", "m2"]
        api_keys = ["env:KEY"]
        [routing.aliases]
        fast = ["gpu/m1", "last"]
        """,
        encoding="utf-8",
    )
    result = invoke("--config", "my.toml", "--check", TOKEN="canary1", KEY="canary2")
    assert result.exit_code == 0
    for words in (
        r"data +127\.0\.0\.1:4000",
        r"admin +127\.0\.0\.1:4001 +token \*\*\*",
        rf"state +{tmp_path}/state",
        r"strategy +local_first",
        r"alias +fast = gpu/m1, last",
        r"gpu +openai +10 .*1 x \*\*\* +m1,m2 +http://localhost:8000/v1",
        r"last +embedded +1000 +1 +16 .*smollm2",
    ):
        assert re.search(rf"^{words}", result.stdout, re.MULTILINE), words
    assert result.stdout.index("\ngpu") < result.stdout.index("\nlast")
    assert "canary" not in result.output


def test_check_says_when_there_are_no_workers(invoke: Invoke) -> None:
    """A node without workers may be meant, but it is pointed out."""
    Path("cortexd.toml").write_text("workers = []", encoding="utf-8")
    assert "no workers" in invoke("--check").stdout


def test_check_does_not_start_anything(invoke: Invoke, started: list[tuple[Config, str]]) -> None:
    """`--check` of a good file exits with 0 and of a bad one with 78; neither runs the node."""
    Path("cortexd.toml").write_text("", encoding="utf-8")
    assert invoke("--check").exit_code == 0
    Path("cortexd.toml").write_text("x = 1", encoding="utf-8")
    result = invoke("--check")
    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr.endswith("\n1 problem in the configuration\n")
    assert started == []


@pytest.mark.parametrize(("arguments", "exit_code"), [(["--check"], 0), ([], 75)])
def test_what_may_surprise_is_said(
    invoke: Invoke, started: list[tuple[Config, str]], arguments: list[str], exit_code: int
) -> None:
    """On stderr, when the file is checked and when the node starts; it starts all the same."""
    key = f'[[keys]]\nid = "abcd1234"\nhmac = "{"0a" * 32}"\n'
    cluster = '[cluster]\nredis_url = "redis://127.0.0.1"\n'
    Path("cortexd.toml").write_text(key + cluster, encoding="utf-8")
    result = invoke(*arguments)
    assert (result.exit_code, len(started)) == (exit_code, exit_code == 75)
    assert result.stderr.startswith("warning: data.key_pepper is not set")
    assert "warning" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "log_format"), [((), "json"), (("--log-format", "text"), "text")]
)
def test_running_hands_over_the_configuration(
    invoke: Invoke, started: list[tuple[Config, str]], arguments: tuple[str, ...], log_format: str
) -> None:
    """The node gets the configuration and the log format, and its exit code is the command's."""
    Path("my.toml").write_text('[node]\nname = "n"', encoding="utf-8")
    result = invoke("--config", "my.toml", *arguments)
    assert result.exit_code == 75
    ((config, found),) = started
    assert (config.node.name, found) == ("n", log_format)


def test_without_config_the_file_here_is_used(
    invoke: Invoke, started: list[tuple[Config, str]]
) -> None:
    """In a folder with a cortexd.toml the command needs no options."""
    Path("cortexd.toml").write_text('[node]\nname = "here"', encoding="utf-8")
    invoke()
    assert started[0][0].node.name == "here"


def test_without_any_file_the_usage_is_explained(invoke: Invoke) -> None:
    """Nothing to read is a mistake on the command line: exit 2, and what to do."""
    result = invoke()
    assert result.exit_code == 2
    assert "no ./cortexd.toml here; name the file with --config" in result.stderr


def test_a_file_that_is_not_there_is_a_configuration_problem(invoke: Invoke) -> None:
    """A file that was named but cannot be read exits with 78 and the path."""
    result = invoke("--config", "no.toml")
    assert result.exit_code == 78
    assert "no.toml: the file cannot be read: No such file or directory" in result.stderr


@pytest.mark.parametrize("arguments", [("--nope",), ("--log-format", "xml"), ("extra",)])
def test_a_wrong_command_line(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    """Unknown options and arguments exit with 2."""
    assert invoke(*arguments).exit_code == 2


def test_the_environment_reaches_the_configuration(
    invoke: Invoke, started: list[tuple[Config, str]]
) -> None:
    """`CORTEXD__SECTION__KEY` of the process is seen by the command."""
    Path("cortexd.toml").write_text("", encoding="utf-8")
    invoke(CORTEXD__NODE__NAME="from-environment")
    assert started[0][0].node.name == "from-environment"


def test_help_teaches(invoke: Invoke) -> None:
    """The help has an example, all exit codes and the signals."""
    text = invoke("--help").stdout
    for words in ("cortexd --config cortexd.toml --check", " 75 ", " 78 ", "TERM, INT"):
        assert words in text


def test_version(invoke: Invoke) -> None:
    """The version is the installed package's."""
    assert re.fullmatch(r"cortexd, version \d+\.\d+\.\d+\n", invoke("--version").stdout)
