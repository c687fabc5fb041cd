"""The life of an agent's process: how it is stopped, and how it ends where that takes too long."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import pytest

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S: Final = 20.0

CONFIG: Final = """
allow_inline_secrets = true
[agent]
name = "a"
amqp_url = "amqp://127.0.0.1:9"
signing_key = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
state_dir = "{folder}"
[[workers]]
name = "w"
type = "ollama"
base_url = "http://127.0.0.1:9"
"""

STUCK: Final = """
import sys
from pathlib import Path
import trio
from cortexd.agent import main
from cortexd.agent.load import load
from supervisor_tree import ChildSpec, Supervisor, task

async def stuck_in_the_mud():
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

whole = main.agent_tree
main.agent_tree = lambda *parts: Supervisor(
    ChildSpec("stuck", task(stuck_in_the_mud), shutdown=0.1),
    ChildSpec("fine", lambda: whole(*parts)),
    kill_grace=0.1,
)
main.STUCK_S = float(sys.argv[2])
sys.exit(main.run(load(Path(sys.argv[1]), {}), log_format="json"))
"""


@attrs.define(eq=False)
class Process:
    """An agent's process, and what it has said so far."""

    process: subprocess.Popen[str]
    said: list[str] = attrs.Factory(list)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait_said(self, text: str) -> None:
        """Until it has said that."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line)
            if re.search(text, line):
                return
        raise AssertionError(self.said)

    def end(self) -> tuple[int, str]:
        """Its exit code and the last that it says."""
        code = self.process.wait(HANGS_S)
        assert self.process.stderr
        return code, [*self.said, *self.process.stderr][-1]


Start: TypeAlias = Callable[..., AbstractContextManager[Process]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts an agent by these arguments of Python; what is left of it ends with the test."""
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")

    @contextmanager
    def started(*arguments: str) -> Iterator[Process]:
        with subprocess.Popen(
            [sys.executable, *arguments], stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Process(process)
            finally:
                process.kill()

    return lambda *arguments: started(
        *(str(path) if each == "FILE" else each for each in arguments)
    )


def test_it_shows_its_tree_and_stops_when_it_is_told(start: Start) -> None:
    """Also where the broker has never been there."""
    with start("-m", "cortexd.agent", "--config", "FILE", "--log-format", "json") as agent:
        agent.wait_said("agent started")
        agent.tell(signal.SIGUSR1)
        agent.wait_said("rabbitmq")
        agent.tell(signal.SIGTERM)
        code, last = agent.end()
    assert code == 0
    assert '"event":"stopped"' in last


@pytest.mark.parametrize(("signals", "stuck_s"), [(1, "0.5"), (2, "600")])
def test_a_stuck_child_holds_nobody_up(start: Start, signals: int, stuck_s: str) -> None:
    """The process ends without it: after a while, or at the second signal."""
    with start("-c", STUCK, "FILE", stuck_s) as agent:
        agent.wait_said("agent started")
        for number in range(signals):
            agent.tell(signal.SIGTERM)
            if number == 0:
                agent.wait_said("child is stuck")
        code, last = agent.end()
    assert code == 1
    assert "ending without waiting any longer" in last
