"""FAULTS.md, rows P7, P9 and P14: signals at a bad time, and configurations of no use."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import httpx
import pytest

from tests.daemon import Daemon, running_daemon
from tests.node.chats import chatting
from tests.operator import HANGS_S, Operator, operating, wait_until

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CONFIG = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{ repeat = 40, steps = [{ wait = 0.05 }, { say = "word " }] }]

[[workers]]
name = "keyed"
type = "openai"
base_url = "http://127.0.0.1:9/v1"
api_keys = ["file:KEY"]
"""

TEXT = "word " * 40
KILLS = 6


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """Of a node whose worker takes two seconds for an answer, and whose other one has a key."""
    key = tmp_path / "key"
    key.write_text("sk-old", encoding="ascii")
    key.chmod(0o600)
    config = CONFIG.replace("KEY", str(key))
    with running_daemon(tmp_path, config, drain_s=20.0) as daemon, operating(daemon) as operator:
        yield operator


@attrs.frozen
class Fault:
    """Something that is done to the configuration, and what is said of it then."""

    do: Callable[[Operator], None]
    told: str


def _unreadable(operator: Operator) -> None:
    (operator.daemon.folder / "cortexd.toml").rename(operator.daemon.folder / "elsewhere")


def _missing_secret(operator: Operator) -> None:
    (operator.daemon.folder / "key").unlink()


FAULTS = {
    "a file that is not there": Fault(_unreadable, "cannot be read: No such file"),
    "a syntax error": Fault(
        lambda operator: operator.edit('name = "keyed"', 'name = "keyed'), "not valid TOML"
    ),
    "an unknown key": Fault(
        lambda operator: operator.edit("models =", "modles ="), 'did you mean "models"?'
    ),
    "a secret that is missing": Fault(_missing_secret, "cannot be read: No such file"),
    "a name that is taken": Fault(
        lambda operator: operator.edit('name = "keyed"', 'name = "talker"'), "the name is taken"
    ),
    "a number out of range": Fault(
        lambda operator: operator.edit("drain_seconds = 20.0", "drain_seconds = -1"),
        "must be at least 0",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_p14_a_reload_of_a_bad_configuration_changes_nothing(name: str, operator: Operator) -> None:
    """Eight clients read on; each problem is a line, by the admin API and in the log for a HUP."""
    fault = FAULTS[name]
    before = operator.get("/admin/config")
    # What is right about the new file must not be taken up either.
    operator.edit("[cache]", '[pool]\nstrategy = "round_robin"\n[cache]')
    fault.do(operator)

    with chatting(operator.daemon.url, count=8, model="m") as chats:
        answer = operator.ask("POST", "/admin/reload")
        operator.daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "nothing has changed" in operator.daemon.log)

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_configuration"
    problems = answer.json()["problems"]
    assert len(problems) == 1
    assert fault.told in problems[0]
    assert operator.get("/admin/config") == before
    assert [(chat.text, chat.is_whole, chat.failure) for chat in chats] == [(TEXT, True, None)] * 8
    logged = [line for line in operator.daemon.log.splitlines() if "wrong configuration" in line]
    assert len(logged) == 1
    assert "configuration reloaded" not in operator.daemon.log


def test_p14_several_problems_are_all_named(operator: Operator) -> None:
    """One line each, each with its place."""
    operator.edit('name = "keyed"', 'name = "talker"')
    operator.edit("models =", "modles =")

    problems = operator.ask("POST", "/admin/reload").json()["problems"]

    assert len(problems) == 2
    path = operator.daemon.folder / "cortexd.toml"
    assert all(problem.startswith(f"{path}:") for problem in problems)


def test_p14_the_node_reloads_again_once_the_file_is_right(operator: Operator) -> None:
    """A refusal leaves no trace; a key that was changed on disk is taken up."""
    operator.edit("models =", "modles =")
    assert operator.ask("POST", "/admin/reload").status_code == 422
    operator.edit("modles =", "models =")
    (operator.daemon.folder / "key").write_text("sk-new", encoding="ascii")

    answer = operator.ask("POST", "/admin/reload")

    assert answer.status_code == 200
    assert answer.json()["changes"] == ["workers.keyed: changed (api_keys)"]
    assert "sk-" not in answer.text + operator.daemon.log


def test_p7_a_hup_during_the_drain_is_ignored(operator: Operator) -> None:
    """Streams end as they would have, the node stops, and the new file is not looked at."""
    daemon: Daemon = operator.daemon
    operator.edit("models =", "modles =")
    with chatting(daemon.url, count=8, model="m") as chats:
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log)
        daemon.process.send_signal(signal.SIGHUP)
        refused = operator.ask("POST", "/admin/reload")

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "node_stopping")
    assert daemon.process.wait(HANGS_S) == 0
    assert [(chat.text, chat.is_whole, chat.failure) for chat in chats] == [(TEXT, True, None)] * 8
    assert "reload ignored: the node is stopping" in daemon.log
    assert "wrong configuration" not in daemon.log


def test_p7_a_second_term_is_the_fast_path(operator: Operator) -> None:
    """Streams get their error frame instead of the time they would need."""
    daemon: Daemon = operator.daemon
    operator.edit("wait = 0.05", "wait = 1.0")
    assert operator.ask("POST", "/admin/reload").status_code == 200
    with chatting(daemon.url, count=4, model="m") as chats:
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log)
        daemon.process.send_signal(signal.SIGINT)
        assert daemon.process.wait(HANGS_S) == 0

    assert not any(chat.is_whole for chat in chats)
    assert all(chat.failure is not None for chat in chats)


def test_p7_hups_and_a_term_at_once_end_in_order(operator: Operator) -> None:
    """Whichever comes first: the node stops cleanly, and no signal kills it."""
    process = operator.daemon.process
    for _ in range(5):
        process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    for _ in range(5):
        process.send_signal(signal.SIGHUP)

    assert process.wait(HANGS_S) == 0
    with pytest.raises(httpx.TransportError):
        operator.ask("GET", "/admin/config")


def test_p9_a_kill_during_a_reload_is_no_end(tmp_path: Path) -> None:
    """The next start finds what it needs, wherever the one before was cut off."""
    chance = random.Random(9)  # noqa: S311  it has to come again, not to be secret
    config = CONFIG.split('[[workers]]\nname = "keyed"', maxsplit=1)[0]
    for _ in range(KILLS):
        with running_daemon(tmp_path, config) as daemon:
            text = (tmp_path / "cortexd.toml").read_text(encoding="utf-8")
            changed = text.replace('models = ["m"]', 'models = ["m", "n"]')
            (tmp_path / "cortexd.toml").write_text(changed, encoding="utf-8")
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(chance.uniform(0.0, 0.03))
            daemon.process.kill()
            assert daemon.process.wait(HANGS_S) == -signal.SIGKILL
    with running_daemon(tmp_path, config) as daemon:
        daemon.wait_available("talker")
    assert not list((tmp_path / "state").glob("*.corrupt-*"))
