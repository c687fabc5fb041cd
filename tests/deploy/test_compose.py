"""compose.yaml: as closed as the manifests of Kubernetes, and everything in it is there."""

from pathlib import Path
from typing import Any

import click
import pytest

from cortexd.agent.cli import main as cortex_agent
from cortexd.agent.main import STUCK_S as AGENT_STUCK_S
from cortexd.cli import main as cortexd
from cortexd.config.node import NodeSettings
from cortexd.runtime.main import STUCK_S as NODE_STUCK_S
from tests.deploy.checking import judge
from tests.deploy.dockerfile import DOCKERFILE, REPOSITORY, of, read_dockerfile
from tests.deploy.manifests import read

FOLDER = REPOSITORY / "deploy"
COMPOSE = read(FOLDER / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("cortexd", "agent")

KNOWN = {
    *("build", "cap_drop", "command", "configs", "cpus", "depends_on", "environment"),
    *("extra_hosts", "healthcheck", "hostname", "image", "init", "logging", "mem_limit"),
    *("memswap_limit", "networks", "pids_limit", "ports", "read_only", "restart", "secrets"),
    *("security_opt", "stop_grace_period", "tmpfs", "user", "volumes"),
}
"""Those keys of a service in the Compose specification that are used; a wrong one is none."""

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def _names(mounted: list[Any]) -> list[str]:
    return [each if isinstance(each, str) else each["source"] for each in mounted]


def _volumes(service: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [each.partition(":") for each in service.get("volumes", [])]


def test_a_fleet_can_be_started() -> None:
    """A node, an agent that there can be many of, and the two servers between them."""
    assert SERVICES.keys() == {"cortexd", "agent", "redis", "rabbitmq"}
    assert not {"container_name", "hostname", "ports"} & SERVICES["agent"].keys()


@every_service
def test_a_service_is_closed(service: dict[str, Any]) -> None:
    """Nothing to write to, no capabilities, no way to more of them, and nobody is root."""
    assert service.keys() <= KNOWN
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0


@every_service
def test_a_service_has_limits(service: dict[str, Any]) -> None:
    """Of memory, without swapping beyond it, of processes, of the processor, and of its log."""
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["pids_limit"] > 0
    assert service["cpus"] > 0
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()
    assert all("size=" in each for each in service["tmpfs"])


@every_service
def test_an_image_is_of_a_version(service: dict[str, Any]) -> None:
    """Never `latest`, neither said nor meant."""
    assert service["image"].rpartition(":")[2][:1].isdigit()


@every_service
def test_a_service_waits_for_those_that_are_well(service: dict[str, Any]) -> None:
    """Each of which says when it is."""
    for name, waited in service.get("depends_on", {}).items():
        assert waited == {"condition": "service_healthy"}
        assert SERVICES[name]["healthcheck"]["test"]


@every_service
def test_what_a_service_names_is_there(service: dict[str, Any]) -> None:
    """Networks, configurations, secrets and volumes."""
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert set(_names(service.get("configs", []))) <= COMPOSE["configs"].keys()
    assert set(_names(service.get("secrets", []))) <= COMPOSE["secrets"].keys()
    named = {name for name, colon, _ in _volumes(service) if colon}
    assert named <= COMPOSE["volumes"].keys()


def test_nothing_is_declared_for_nobody() -> None:
    """Each secret and each configuration goes to some service, and each file is there."""
    for kind in ("secrets", "configs"):
        used = {name for each in SERVICES.values() for name in _names(each.get(kind, []))}
        assert used == COMPOSE[kind].keys()
    for each in COMPOSE["configs"].values():
        assert (FOLDER / each["file"]).is_file()


def test_only_clients_are_let_in() -> None:
    """From this machine, unless somebody opens it; to the port that the image names."""
    assert {name for name, each in SERVICES.items() if "ports" in each} == {"cortexd"}
    (exposed,) = of(read_dockerfile(), "EXPOSE")
    assert SERVICES["cortexd"]["ports"] == [f"127.0.0.1:4000:{exposed.text}"]


def test_servers_are_by_themselves() -> None:
    """Redis and RabbitMQ reach nobody outside and are reached by nobody."""
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("redis", "rabbitmq"):
        assert SERVICES[name]["networks"] == ["inside"]


@pytest.mark.parametrize("name", OURS)
def test_ours_are_of_one_image(name: str) -> None:
    """Built by the Dockerfile, run by its user, told to look for credentials where they are."""
    service = SERVICES[name]
    build = service["build"]
    assert service["image"] == SERVICES["cortexd"]["image"]
    assert (FOLDER / build["context"]).resolve() == REPOSITORY
    assert (REPOSITORY / build["dockerfile"]) == DOCKERFILE
    (user,) = of(read_dockerfile(), "USER")
    assert service["user"] == user.text
    assert service["environment"] == {"CREDENTIALS_DIRECTORY": "/run/secrets"}
    assert service["init"] is True


def test_state_outlives_a_restart() -> None:
    """The dead letters of the node, by a name; and of each agent what it has been told."""
    (environ,) = of(read_dockerfile()[-12:], "ENV")
    folder = "/var/lib/cortexd"
    assert f"STATE_DIRECTORY={folder}" in environ.text.split()
    assert _volumes(SERVICES["cortexd"]) == [("state", ":", folder)]
    assert _volumes(SERVICES["agent"]) == [(folder, "", "")]


def test_ours_are_given_the_time_that_stopping_takes() -> None:
    """Docker must not kill what is about to end by itself."""
    node = NodeSettings(name="n", state_dir=Path("state"))
    needed_s = {
        "cortexd": node.predrain_seconds + node.drain_seconds + NODE_STUCK_S,
        "agent": AGENT_STUCK_S,
    }
    for name, seconds in needed_s.items():
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) > seconds


@pytest.mark.parametrize(("name", "command"), [("cortexd", cortexd), ("agent", cortex_agent)])
def test_it_starts(name: str, command: click.Command, credentials: Path, tmp_path: Path) -> None:
    """With its configuration, and with those credentials alone that compose hands to it."""
    for each in _names(SERVICES[name]["secrets"]):
        (tmp_path / each).symlink_to(credentials / each)
    (mounted,) = SERVICES[name]["configs"]
    said = judge(FOLDER / COMPOSE["configs"][mounted["source"]]["file"], tmp_path, command)
    assert said.exit_code == 0, said.output
    assert "warning" not in said.output


def test_commands_are_told_where_their_files_are() -> None:
    """Where compose mounts them."""
    (usual,) = of(read_dockerfile()[-12:], "CMD")
    for name, words in (("cortexd", usual.listed), ("agent", SERVICES["agent"]["command"])):
        (mounted,) = SERVICES[name]["configs"]
        assert words[1:3] == ["--config", mounted["target"]]
