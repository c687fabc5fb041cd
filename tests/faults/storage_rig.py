"""Writers that are killed, and disks that fail under them by the hand of strace."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.daemon import UNMEASURED

WRITER: Final = (sys.executable, "-m", "tests.faults.storage_writer")
ROOT: Final = Path(__file__).parents[2]
SYNCS: Final = "fsync,fdatasync"


@attrs.define(eq=False)
class Writer:
    """A process that keeps letters. `acknowledged`: the ids that it was told are safe."""

    process: subprocess.Popen[str]
    acknowledged: list[str] = attrs.Factory(list)
    failures: list[str] = attrs.Factory(list)

    def read_until(self, is_enough: Callable[["Writer"], object]) -> None:
        """Read what it says; it says something all the time."""
        while not is_enough(self):
            self.take(self.line())

    def line(self) -> str:
        """The next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the writer has ended"
        return line.strip()

    def take(self, line: str) -> None:
        """Take in a line; what a kill has cut short is no acknowledgement."""
        if line.startswith("failed "):
            self.failures.append(line.removeprefix("failed "))
        elif line.startswith("dl-"):
            self.acknowledged.append(line)


@contextmanager
def writer(*arguments: str, under: tuple[str, ...] = ()) -> Iterator[Writer]:
    """A writer until the block ends, and then nothing of it; `under`: the command before it."""
    with subprocess.Popen(
        [*under, *WRITER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **UNMEASURED},
        start_new_session=True,
    ) as process:
        try:
            yield Writer(process)
        finally:
            # strace, where there is one, and what it traces.
            os.killpg(process.pid, signal.SIGKILL)


def injecting(what: str, log: Path, *, calls: str = SYNCS) -> tuple[str, ...]:
    """The command under which these system calls go wrong."""
    trace = ("strace", "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={calls}")
    return (*trace, "-e", f"inject={calls}:{what}")


def check_whole(path: Path, acknowledged: list[str]) -> None:
    """Nothing that was acknowledged is missing, and nothing is there twice or damaged."""
    assert not list(path.parent.glob(f"{path.name}.corrupt-*"))
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute(
            "SELECT id, body FROM letters JOIN contents USING (id)"
        ).fetchall()
    finally:
        connection.close()
    assert set(acknowledged) <= {identity for identity, _ in rows}
    assert len(set(acknowledged)) == len(acknowledged)
    assert all(body == body[:8] * (len(body) // 8) for _, body in rows)
