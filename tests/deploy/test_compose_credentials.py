"""The credentials of compose.yaml: made once, random, and such that Redis takes them."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cortexd.fleet.topology import agent_topology, node_topology
from tests.daemon import READY_S_MAX, running_daemon
from tests.deploy.dockerfile import REPOSITORY
from tests.deploy.manifests import read
from tests.servers.redis import RedisServer, running_redis

pytestmark = pytest.mark.real_time

COMPOSE = read(REPOSITORY / "deploy" / "compose.yaml")
MAKE_SECRETS = REPOSITORY / "deploy" / "docker" / "make-secrets"


def test_all_that_is_mounted_is_made(credentials: Path) -> None:
    """And nothing else, but for what keeps it out of the repository."""
    made = {each.name for each in credentials.iterdir()} - {".gitignore"}
    assert made == COMPOSE["secrets"].keys()
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"] == f"secrets/{name}"
    assert (credentials / ".gitignore").read_text(encoding="ascii") == "*\n"


def test_the_folder_is_what_keeps_others_out(credentials: Path) -> None:
    """A container's user is none of this machine's, so the files are open to whoever is inside."""
    assert credentials.stat().st_mode & 0o777 == 0o700
    for name in COMPOSE["secrets"]:
        assert (credentials / name).stat().st_mode & 0o777 == 0o444


def test_what_is_there_is_not_made_again(credentials: Path) -> None:
    """Servers that know the old ones would be lost to everybody."""
    before = (credentials / "redis-url").read_text(encoding="ascii")
    again = subprocess.run(
        [MAKE_SECRETS, credentials], capture_output=True, timeout=20, check=False
    )
    assert again.returncode != 0
    assert (credentials / "redis-url").read_text(encoding="ascii") == before


def test_no_secret_is_that_of_another(credentials: Path) -> None:
    """Each has 32 random bytes of its own, the same on both of its sides."""
    found = {
        name: re.findall(r"[0-9a-f]{64}", (credentials / name).read_text(encoding="ascii"))
        for name in COMPOSE["secrets"]
    }
    assert all(len(each) == 1 for each in found.values())
    assert found["redis-url"] == found["redis-users"]
    assert found["amqp-url"] == found["rabbitmq-users"]
    assert len({each[0] for each in found.values()}) == 4


def test_urls_lead_to_the_services(credentials: Path) -> None:
    """By the names that they have in compose.yaml."""
    for name in ("redis-url", "amqp-url"):
        host = urlsplit((credentials / name).read_text(encoding="ascii")).hostname
        assert host in COMPOSE["services"]


def test_a_fleet_may_be_what_it_is(credentials: Path) -> None:
    """All that nodes and agents declare, write to and read is theirs by name; they rule nothing."""
    text = (credentials / "rabbitmq-users").read_text(encoding="ascii")
    settings = dict(line.split(" = ") for line in text.splitlines())
    plans = (node_topology("node"), agent_topology("agent"))
    names = {each.name for plan in plans for each in plan.exchanges}
    names |= {each.name for plan in plans for each in plan.queues}
    assert settings["default_user_tags.administrator"] == "false"
    for right in ("configure", "write", "read"):
        pattern = settings[f"default_permissions.{right}"]
        assert pattern.startswith("^")
        assert all(re.match(pattern, name) for name in names)
        assert not re.match(pattern, "amq.topic")


@pytest.fixture(scope="module")
def redis(credentials: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server as compose.yaml starts it."""
    words = COMPOSE["services"]["redis"]["command"]
    program, *arguments = [
        str(credentials / "redis-users") if word == "/run/secrets/redis-users" else word
        for word in words
    ]
    assert program == "redis-server"
    with running_redis(tmp_path_factory.mktemp("redis"), *arguments) as server:
        yield server


def _as_node(redis: RedisServer, credentials: Path, *words: str) -> str:
    url = urlsplit((credentials / "redis-url").read_text(encoding="ascii"))
    return redis.command("--no-auth-warning", "--user", "cortexd", "-a", str(url.password), *words)


@pytest.mark.slow
def test_nobody_gets_in_without_a_password(redis: RedisServer) -> None:
    """Which is also what the health check takes for a sign of life."""
    assert redis.command("ping").startswith("NOAUTH")
    kind, script = COMPOSE["services"]["redis"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    script = script.replace("redis-cli", f"redis-cli -p {redis.port}")
    assert subprocess.run(["/bin/sh", "-c", script], timeout=20, check=False).returncode == 0
    script = script.replace(str(redis.port), "1")
    assert subprocess.run(["/bin/sh", "-c", script], timeout=20, check=False).returncode != 0


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["ping"], "PONG"),
        (["set", "cortexd:{c}:x", "1"], "OK"),
        (["publish", "cortexd:{c}:x", "1"], "0"),
        (["eval", "return redis.call('get', KEYS[1])", "1", "cortexd:{c}:none"], ""),
    ],
)
def test_a_node_may_do_its_work(
    redis: RedisServer, credentials: Path, words: list[str], answer: str
) -> None:
    """With the keys and channels of clusters."""
    assert _as_node(redis, credentials, *words) == answer


def test_a_node_may_run_what_its_scripts_run(redis: RedisServer, credentials: Path) -> None:
    """Every command that is called in some script, by what Redis itself counts it among."""
    called = {
        command.lower()
        for source in (REPOSITORY / "cortexd" / "cluster").glob("*.py")
        for command in re.findall(r"redis\.call\('([A-Z]+)'", source.read_text(encoding="utf-8"))
    }
    assert {"time", "hset"} <= called
    rules = (credentials / "redis-users").read_text(encoding="ascii").split()
    told = json.loads(_as_node(redis, credentials, "--json", "command", "info", *called))
    guarded = {each[0] for each in told if {"@admin", "@dangerous"} & set(each[6])}
    assert guarded == {rule[1:] for rule in rules if rule[0] == "+" and rule[1] != "@"}


@pytest.mark.slow
def test_a_node_is_a_member_by_these(redis: RedisServer, credentials: Path, tmp_path: Path) -> None:
    """A real one, with the URL that it finds among its credentials."""
    url = (credentials / "redis-url").read_text(encoding="ascii")
    (tmp_path / "redis-url").write_text(
        url.replace("@redis:6379", f"@127.0.0.1:{redis.port}"), encoding="ascii"
    )
    workers = '[[workers]]\nname = "w"\ntype = "scripted"\n'
    cluster = '[cluster]\nredis_url = "credential:redis-url"\n'
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with running_daemon(tmp_path, workers + cluster, environ=environ) as node:
        give_up_at = time.monotonic() + READY_S_MAX
        while (found := node.admin("/admin/cluster"))["state"] != "member":
            assert time.monotonic() < give_up_at, found
            time.sleep(0.1)
        assert found["redis"] == {"up": True, "failure": None}


@pytest.mark.parametrize(
    "words",
    [
        ["set", "other", "1"],
        ["publish", "other", "1"],
        ["eval", "return redis.call('get', KEYS[1])", "1", "other"],
        ["keys", "*"],
        ["config", "get", "*"],
        ["flushall"],
        ["acl", "list"],
        ["shutdown"],
    ],
)
def test_a_node_may_do_nothing_else(
    redis: RedisServer, credentials: Path, words: list[str]
) -> None:
    """Neither to what is others' nor to the server."""
    assert "NOPERM" in _as_node(redis, credentials, *words)
