"""A gateway's process on a core of its own: its start, its CPU time and its end."""

import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
import trio

from bench.gateway.load import Load, put_on
from bench.gateway.script import Script, WrongAnswer
from bench.gateway.subjects import Subject

READY_S_MAX: Final = 90.0
POLL_S: Final = 0.25
STOP_S_MAX: Final = 5.0
LOG_CHARACTERS_SHOWN: Final = 2_000

# The process clocks of Linux, as clock_getcpuclockid(3) numbers them.
_CPUCLOCK_SCHED: Final = 2
_PID_SHIFT: Final = 3


class NotRunning(Exception):
    """A gateway did not start, or did not last; the text says why."""


@attrs.frozen
class Running:
    """A gateway that has been started."""

    subject: Subject
    process: trio.Process
    log: Path

    def cpu_clocks(self) -> dict[int, float]:
        """The CPU seconds, user and system, of each of its processes so far.

        From the processes' clocks: they tell nanoseconds where /proc/PID/stat tells hundredths of
        a second. Errors: `NotRunning`.
        """
        if self.process.poll() is not None:
            raise self._failure("ended")
        return {pid: cpu_seconds_of(pid) for pid in family(self.process.pid)}

    async def wait_ready(self) -> None:
        """Until it has given a right answer. Raises `NotRunning`."""
        greeting = Load(script=Script(pieces=1), connections=1, requests_each=1)
        last: Exception | None = None
        with trio.move_on_after(READY_S_MAX):
            while self.process.poll() is None:
                try:
                    await put_on(self.subject.port, greeting)
                except (OSError, WrongAnswer) as exc:
                    last = exc
                else:
                    return
                await trio.sleep(POLL_S)
            raise self._failure(f"ended while it was starting, with {self.process.returncode}")
        raise self._failure(f"gave no right answer within {READY_S_MAX:g} s ({last})")

    def _failure(self, what: str) -> NotRunning:
        log = self.log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS_SHOWN:]
        return NotRunning(f"{self.subject.name} {what}; the end of its log:\n{log.strip()}")


@asynccontextmanager
async def running(subject: Subject, folder: Path, *, core: int) -> AsyncIterator[Running]:
    """Start a gateway on a core, without waiting for it; end it with the block."""
    log = folder / f"{subject.name}.log"
    with log.open("wb") as output:
        process = await trio.lowlevel.open_process(
            ["taskset", "--cpu-list", str(core), *subject.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            # Nothing of ours, such as a proxy's address or a key, may change what is measured.
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **subject.environment},
            start_new_session=True,
        )
    try:
        yield Running(subject, process, log)
    finally:
        await end_group(process)


async def end_group(process: trio.Process) -> None:
    """End a process that leads its group, and all that it has started."""
    with trio.CancelScope(shield=True):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with trio.move_on_after(STOP_S_MAX):
            await process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with trio.move_on_after(STOP_S_MAX):
            await process.wait()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, new = [pid], [pid]
    while new:
        new = [child for parent in new for child in _children(parent)]
        found += new
    return found


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in listed for child in path.read_text(encoding="ascii").split()]


def cpu_seconds_of(pid: int) -> float:
    """What a process has used so far, user and system. Raises `OSError` when it has ended."""
    return time.clock_gettime((~pid << _PID_SHIFT) | _CPUCLOCK_SCHED)
