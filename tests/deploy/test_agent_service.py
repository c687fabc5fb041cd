"""The agent's unit and its example: as closed as we say, and fit to be used."""

import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

from cortexd.agent.load import load
from cortexd.agent.main import STUCK_S

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
UNIT: Final = DEPLOY / "cortex-agent.service"
EXAMPLE: Final = DEPLOY / "agent.toml"
EXPOSURE_MAX: Final = 1.5


@pytest.mark.real_time
@pytest.mark.slow
def test_the_unit_is_exposed_as_little_as_we_say() -> None:
    """The verdict of systemd itself."""
    told = subprocess.run(
        ["/usr/bin/systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    verdict = told.rstrip().splitlines()[-1]
    assert float(verdict.split(":")[1].split()[0]) <= EXPOSURE_MAX, told


def test_the_unit_gives_the_agent_the_time_it_takes() -> None:
    """The manager must not kill what is about to end by itself; nor miss one that stalls."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    assert int(settings["TimeoutStopSec"]) > STUCK_S
    assert settings["Type"] == "notify"
    assert settings["WatchdogSec"] == "15"


def test_the_example_can_be_used(tmp_path: Path) -> None:
    """With the credentials that the unit hands over."""
    unit = UNIT.read_text(encoding="utf-8")
    for name, content in (("amqp-url", "amqp://a:b@broker/v"), ("fleet-signing-key", "k" * 32)):
        assert f"LoadCredential={name}:" in unit
        (tmp_path / name).write_text(content, encoding="ascii")
    config = load(EXAMPLE, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert config.workers[0].probe_url == "http://127.0.0.1:11434"
    assert "agent" in tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
