"""The life of the process: how it ends when it cannot begin, or cannot go on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CONFIG = """
[node]
state_dir = "{folder}/state"
[data]
bind = ["127.0.0.1:0"]
[admin]
bind = ["unix:{folder}/admin.sock"]
[[workers]]
name = "w"
type = "scripted"
"""

DOOMED = """
import sys
from pathlib import Path
from cortexd.config.load import load
from cortexd.runtime import main
from supervisor_tree import ChildSpec, Supervisor, task

async def crash():
    raise RuntimeError("nothing helps")

whole = main.supervision_tree
main.supervision_tree = lambda *parts: Supervisor(
    ChildSpec("fine", lambda: whole(*parts)), ChildSpec("doomed", task(crash))
)
sys.exit(main.run(load(Path(sys.argv[1]), {}), log_format="json"))
"""


STUCK = """
import sys
from pathlib import Path
import trio
from cortexd.config.load import load
from cortexd.runtime import main
from supervisor_tree import ChildSpec, Supervisor, task

async def stuck_in_the_mud():
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

whole = main.supervision_tree
main.supervision_tree = lambda *parts: Supervisor(
    ChildSpec("stuck", task(stuck_in_the_mud), shutdown=0.1),
    ChildSpec("fine", lambda: whole(*parts)),
    kill_grace=0.1,
)
main.STUCK_S = 1.0
sys.exit(main.run(load(Path(sys.argv[1]), {}), log_format="json"))
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node on addresses of its own."""
    path = tmp_path / "cortexd.toml"
    path.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    return path


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_tree_that_gives_up_ends_the_process_with_1(config: Path) -> None:
    """In order, with each restart and the reason in the log."""
    ended = _run("-c", DOOMED, str(config))

    assert ended.returncode == 1
    *_, gave_up, stopped = ended.stderr.splitlines()
    assert "the supervision tree gave up" in gave_up
    assert "gave up on child 'doomed'" in gave_up
    assert '"exit_code":1' in stopped


def test_a_state_folder_that_cannot_be_made_is_named(config: Path, tmp_path: Path) -> None:
    """Not a traceback, but the place and what is wrong with it."""
    (tmp_path / "state").write_text("a file, not a folder", encoding="utf-8")

    ended = _run("-m", "cortexd", "--config", str(config))

    assert ended.returncode == 78
    assert ended.stderr.strip() == f"cortexd: {tmp_path}/state: File exists"


@pytest.mark.parametrize("signals", [1, 2])
def test_a_stuck_child_is_shown_and_holds_nobody_up(config: Path, signals: int) -> None:
    """Its stack is in the log, and the process ends: after the drain, or at the second signal."""
    text = config.read_text(encoding="utf-8")
    drain_s = 600 if signals == 2 else 0
    config.write_text(
        text.replace("[data]", f"drain_seconds = {drain_s}\n[data]"), encoding="utf-8"
    )
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        while not process.stdout.readline().startswith("  curl "):
            assert process.poll() is None
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)  # two at once would be one
        try:
            _, log = process.communicate(timeout=30)
        finally:
            process.kill()

    assert process.returncode == 1
    assert "child is stuck" in log
    assert "stuck_in_the_mud" in log
    assert "a child does not stop" in log.splitlines()[-1]
