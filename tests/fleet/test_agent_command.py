"""The command `cortex-agent`: what it reads, what it refuses, and how it says so."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from click.testing import CliRunner, Result

from cortexd.agent.cli import main
from cortexd.agent.load import load
from cortexd.config.problems import ConfigInvalid
from cortexd.domain.fleet import FleetWorker
from cortexd.domain.worker import WorkerType

Invoke: TypeAlias = Callable[..., Result]

KEY: Final = "k" * 32
GOOD: Final = """
[agent]
name = "gpu-1"
amqp_url = "env:AMQP"
signing_key = "env:KEY"
[[workers]]
name = "llama"
type = "ollama"
base_url = "http://10.0.0.7:11434"
local_url = "http://127.0.0.1:11434"
max_concurrency = 4
"""
NAME_RULE: Final = (
    "must be 1 to 32 letters, digits, dashes or underscores, the first a letter or digit"
)
ENVIRON: Final = {"AMQP": "amqp://agent:canary@broker:5672/fleet", "KEY": KEY}


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **variables: CliRunner().invoke(main, arguments, env=variables)


def _problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigInvalid) as caught:
        load(path, {**ENVIRON, **environ})
    return [f"{problem.key}: {problem.text}" for problem in caught.value.problems]


def test_help_has_all_it_takes_to_begin(invoke: Invoke) -> None:
    """A first configuration, the exit codes and the signals."""
    told = invoke("--help").output
    for word in ("[agent]", "[[workers]]", "base_url", "78", "TERM"):
        assert word in told


def test_check_says_what_would_be_offered(invoke: Invoke, tmp_path: Path) -> None:
    """Without the password."""
    (tmp_path / "agent.toml").write_text(GOOD, encoding="utf-8")
    done = invoke("--check", **ENVIRON)
    assert done.exit_code == 0
    assert "broker  amqp://agent:***@broker:5672/fleet" in done.output
    assert "gpu-1.llama  ollama  http://10.0.0.7:11434" in done.output
    assert "canary" not in done.output


def test_without_a_configuration_it_says_which_to_name(invoke: Invoke) -> None:
    """A wrong command line."""
    done = invoke()
    assert done.exit_code == 2
    assert "--config FILE" in done.output


def test_a_wrong_configuration_is_told_line_by_line(invoke: Invoke, tmp_path: Path) -> None:
    """All of it at once; nothing of what may be a secret."""
    text = GOOD.replace("env:AMQP", "amqp://agent:canary@broker").replace("gpu-1", "gpu.1")
    (tmp_path / "agent.toml").write_text(text, encoding="utf-8")
    done = invoke(**ENVIRON)
    assert done.exit_code == 78
    assert "agent.toml:3 agent.name: must be 1 to 32 letters, digits, dashes" in done.output
    assert re.search(r"agent.toml:4 agent.amqp_url: a password does not belong", done.output)
    assert "2 problems in the configuration" in done.output
    assert "canary" not in done.output


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[agent]", "[brake]\n[agent]", "brake: unknown key"),
        ('type = "ollama"', 'type = "embedded"', 'workers[0].type: cannot be "embedded"'),
        ("http://10.0.0.7:11434", "ftp://x", "workers[0].base_url: "),
        ("http://127.0.0.1:11434", "nowhere", "workers[0].local_url: "),
        ('name = "llama"', 'name = "l.l"', "workers[0].name: must be 1 to 32"),
        ('name = "gpu-1"', 'name = "-gpu"', f"agent.name: {NAME_RULE}"),
        ("max_concurrency = 4", "max_concurrency = 0", "workers[0].max_concurrency: "),
        ("max_concurrency = 4", "max_concurrency = 9999999", "workers[0]: "),
        ("max_concurrency = 4", 'api_keys = ["env:KEY"]', "workers[0].api_keys: unknown key"),
        ('name = "gpu-1"', "status_seconds = 0.5", "agent.status_seconds: must be at least 1"),
    ],
)
def test_each_mistake_has_its_words(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """And its place."""
    [problem] = _problems(tmp_path, GOOD.replace(old, new))
    assert problem.startswith(expected)


def test_the_line_to_the_broker_is_checked(tmp_path: Path) -> None:
    """What is no address of a broker, and a key that can be guessed."""
    assert _problems(tmp_path, GOOD, AMQP="redis://broker", KEY="short") == [
        "agent.amqp_url: must begin with amqp:// or amqps://",
        "agent.signing_key: must be 32 characters or longer: `openssl rand -hex 32` makes one",
    ]


def test_an_agent_without_workers_is_of_no_use(tmp_path: Path) -> None:
    """It says what is missing."""
    head = GOOD.partition("[[workers]]")[0]
    assert _problems(tmp_path, head) == [
        "workers: is missing: name each model server in a table [[workers]]"
    ]


def test_more_than_fits_into_a_message_is_refused(tmp_path: Path) -> None:
    """No node would take it, and nobody would know why."""
    names = ", ".join(f'"{number:0250}"' for number in range(255))
    tables = "".join(
        f"""
        [[workers]]
        name = "w{number}"
        type = "ollama"
        base_url = "http://10.0.0.7:11434"
        models = [{names}]
        """
        for number in range(4)
    )
    [problem] = _problems(tmp_path, GOOD + tables)
    assert re.match(r"workers: take \d+ bytes .* name fewer models", problem)


def test_the_host_gives_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it can be one."""
    monkeypatch.setattr("socket.gethostname", lambda: "gpu_7.rack-2.example.org" + "x" * 40)
    path = tmp_path / "agent.toml"
    path.write_text(GOOD.replace('name = "gpu-1"', ""), encoding="utf-8")
    config = load(path, ENVIRON)
    assert config.agent.name == "gpu_7-rack-2-example-orgxxxxxxxx"


def test_nodes_are_told_what_is_set_and_nothing_else(tmp_path: Path) -> None:
    """What is left out is up to them; where the agent looks is nobody's business."""
    path = tmp_path / "agent.toml"
    path.write_text(GOOD, encoding="utf-8")
    [worker] = load(path, ENVIRON).workers
    assert worker.offer() == FleetWorker(
        name="llama", type=WorkerType.OLLAMA, base_url="http://10.0.0.7:11434", max_concurrency=4
    )
    assert worker.probe_url == "http://127.0.0.1:11434"
