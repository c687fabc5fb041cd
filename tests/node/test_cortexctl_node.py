"""`cortexctl` with a real node: every command does what it says."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from click.testing import CliRunner, Result

from cortexd.ctl import main
from tests.daemon import Daemon, running_daemon
from tests.operator import wait_until

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

WORKERS = """
[[workers]]
name = "good"
type = "scripted"
models = ["m"]
script = [{ say = "yes" }]
[[workers]]
name = "bad"
type = "scripted"
models = ["bad"]
script = [{ fail = "server_error", times = 1 }, { say = "now I can" }]
[retry]
max_attempts = 1
"""
HANGS_S = 30.0

Ctl: TypeAlias = Callable[..., Result]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One node for all commands."""
    with running_daemon(tmp_path_factory.mktemp("ctl"), WORKERS) as daemon:
        yield daemon


@pytest.fixture
def ctl(daemon: Daemon) -> Ctl:
    """Run the command for that node; it must succeed."""
    token = str(daemon.folder / "state" / "admin-token")

    def run(*arguments: str) -> Result:
        asked = ["--url", daemon.admin_url, "--token-file", token, *arguments]
        result = CliRunner().invoke(main, asked)
        assert result.exit_code == 0, result.output
        return result

    return run


def _said(result: Result) -> Any:
    return json.loads(result.stdout)


def test_workers_come_and_go(ctl: Ctl) -> None:
    """Added, checked, out of rotation and back, removed."""
    settings = ("name=spare", "type=scripted", 'models=["extra"]', 'script=[{"say": "here"}]')
    ctl("workers", "add", *settings)
    assert "spare" in ctl("workers", "list").stdout
    assert _said(ctl("--json", "workers", "check", "spare"))["status"] == "available"
    assert _said(ctl("--json", "workers", "deactivate", "spare"))["active"] is False
    assert _said(ctl("--json", "workers", "activate", "spare"))["active"] is True
    assert "leaves" in ctl("workers", "remove", "spare").stdout
    names = [each["name"] for each in _said(ctl("--json", "workers", "list"))["items"]]
    assert names == ["good", "bad"]


def test_a_refusal_says_what_is_wrong(daemon: Daemon) -> None:
    """All problems at once, and the exit code is 1."""
    token = str(daemon.folder / "state" / "admin-token")
    asked = ["--url", daemon.admin_url, "--token-file", token]
    result = CliRunner().invoke(main, [*asked, "workers", "add", "name=x", "type=nope", "colour=1"])
    assert result.exit_code == 1
    assert "type" in result.stderr
    assert "colour" in result.stderr
    assert CliRunner().invoke(main, [*asked, "workers", "check", "nobody"]).exit_code == 1
    assert CliRunner().invoke(main, [*asked, "workers", "add", "nonsense"]).exit_code == 2


def test_a_dead_letter_is_shown_retried_and_forgotten(daemon: Daemon, ctl: Ctl) -> None:
    """What failed once succeeds in the end, and the answer is kept with it."""
    question = {"model": "bad", "messages": [{"role": "user", "content": "can you?"}]}
    answer = httpx.post(f"{daemon.url}/v1/chat/completions", json=question, timeout=HANGS_S)
    letter = answer.headers["x-cortexd-dead-letter"]
    assert letter in ctl("dlq", "list", "--limit", "200").stdout
    assert _said(ctl("dlq", "show", letter))["request"]["messages"] == question["messages"]
    assert "now I can" in ctl("dlq", "retry", letter).stdout
    assert ctl("dlq", "list").stdout.split()[-1] == "200"
    assert letter in ctl("dlq", "delete", letter).stdout
    assert letter not in ctl("dlq", "list").stdout
    assert "0 dead letters" in ctl("dlq", "purge", "--yes").stdout


def test_dead_letters_that_cannot_be_read_are_told_of(daemon: Daemon, ctl: Ctl) -> None:
    """They are in no list, but an operator knows that they are there."""
    ctl("dlq", "purge", "--yes")  # the node has its file then, and no other letters
    with closing(sqlite3.connect(daemon.folder / "state" / "dead_letters.db")) as disk, disk:
        disk.execute(
            "INSERT INTO letters (id, kept_at, request_id, door, path, outcome, error, message,"
            " attempts, body_bytes, has_body, bytes)"
            " VALUES ('dl-odd', ?, 'r', 'd', '/', 'postponed', 'e', 'm', '[]', 0, 0, 0)",
            (time.time(),),
        )
    ctl("dlq", "purge", "--yes", "--older-than", "3600")  # they are counted after it
    wait_until(lambda: "cannot be read" in ctl("dlq", "list").stdout)
    assert ctl("dlq", "list").stdout.splitlines()[1:] == [
        "letters that cannot be read, and are not shown: 1"
    ]
    assert "1 dead letters" in ctl("dlq", "purge", "--yes").stdout
    wait_until(lambda: "cannot be read" not in ctl("dlq", "list").stdout)


def test_the_level_is_forced_and_let_go(ctl: Ctl) -> None:
    """It stays where it was put until somebody says `auto`."""
    assert "critical (forced)" in ctl("degradation", "set", "critical").stdout
    assert "critical (forced)" in ctl("status").stdout
    assert "forced" not in ctl("degradation", "auto").stdout
    assert _said(ctl("--json", "degradation", "show"))["forced"] is False


def test_breakers_alerts_events_tree_and_reload(ctl: Ctl) -> None:
    """What remains."""
    headings, *rows = ctl("breakers", "list").stdout.splitlines()
    assert headings.split()[:6] == ["worker", "state", "calls", "failures", "in", "a"]
    assert rows[0].split()[:3] == ["good", "closed", "0"]
    assert "closed" in ctl("breakers", "reset", "good").stdout
    assert isinstance(_said(ctl("--json", "alerts", "list"))["items"], list)
    told = ctl("events").stdout
    assert "worker status changed" in told
    assert not told.startswith("gap")
    assert "data-door" in ctl("tree").stdout
    assert "nothing has changed" in ctl("reload").stdout


def test_keys_are_made_shown_once_and_revoked(tmp_path: Path) -> None:
    """On a node of its own: with the first key, the others need one as well."""
    with running_daemon(tmp_path, WORKERS) as daemon:
        token = str(tmp_path / "state" / "admin-token")
        asked = ["--url", daemon.admin_url, "--token-file", token]

        def run(*arguments: str) -> str:
            result = CliRunner().invoke(main, [*asked, *arguments])
            assert result.exit_code == 0, result.output
            return result.stdout

        key = run("keys", "create", "--name", "me", "--expires-in-days", "1").strip()
        (item,) = json.loads(run("--json", "keys", "list"))["items"]
        assert (item["name"], item["state"]) == ("me", "active")
        assert key not in run("keys", "list")
        headers = {"authorization": f"Bearer {key}"}
        models = f"{daemon.url}/v1/models"
        assert httpx.get(models, headers=headers, timeout=HANGS_S).status_code == 200
        assert "revoked" in run("keys", "revoke", item["id"])
        assert httpx.get(models, headers=headers, timeout=HANGS_S).status_code == 401
