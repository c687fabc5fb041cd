"""The units: as closed as we say, and in step with the node's own limits."""

import configparser
import subprocess
from pathlib import Path

import pytest

from cortexd.config.node import NodeSettings

UNITS = Path(__file__).parents[2] / "deploy"
SERVICES = ("cortexd.service", "cortexd@.service")
EXPOSURE_MAX = 1.5


def _unit(name: str) -> dict[str, dict[str, str]]:
    reader = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    reader.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's documentation has it
    reader.read(UNITS / name, encoding="utf-8")
    return {section: dict(reader[section]) for section in reader.sections()}


@pytest.mark.real_time
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_as_little_as_we_say(name: str) -> None:
    """The verdict of systemd itself."""
    told = subprocess.run(
        ["/usr/bin/systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    verdict = told.rstrip().splitlines()[-1]
    assert "Overall exposure level" in verdict
    assert float(verdict.split(":")[1].split()[0]) <= EXPOSURE_MAX, told


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_given_the_time_that_a_drain_takes(name: str) -> None:
    """The manager must not kill what is about to end by itself."""
    settings = NodeSettings(name="n", state_dir=Path("state"))
    service = _unit(name)["Service"]
    needed_s = settings.predrain_seconds + settings.drain_seconds + 12  # what a stuck child gets
    assert int(service["TimeoutStopSec"]) > needed_s
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "15"


def test_the_nodes_of_one_port_share_nothing_else() -> None:
    """Neither configuration nor state."""
    service = _unit("cortexd@.service")["Service"]
    for key in ("ExecStart", "StateDirectory", "RuntimeDirectory", "WorkingDirectory"):
        assert "%i" in service[key], key


def test_the_socket_has_the_name_that_the_node_knows() -> None:
    """Any other would be refused at start."""
    assert _unit("cortexd.socket")["Socket"]["FileDescriptorName"] == "data"
