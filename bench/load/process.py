"""A process of the load test: a folder and a log of its own, and nothing of our environment."""

import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from bench.gateway.process import end_group

LOG_CHARACTERS_SHOWN: Final = 2_000


@attrs.frozen(eq=False)
class Started:
    """A process that has been started."""

    process: trio.Process
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def end_of_log(self) -> str:
        """What it has said last."""
        log = self.log.read_text(encoding="utf-8", errors="replace")
        return log[-LOG_CHARACTERS_SHOWN:].strip()


@asynccontextmanager
async def started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> AsyncIterator[Started]:
    """Start it in a folder, without waiting for it; end it with the block."""
    log = folder / "log"
    with log.open("wb") as output:
        process = await trio.lowlevel.open_process(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            # A key or a proxy's address of ours would change what is measured.
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
            start_new_session=True,
        )
    try:
        yield Started(process, log)
    finally:
        await end_group(process)
