"""The engine seen from the gateway: one incarnation of its process, from start to end."""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import trio

from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.installation import EmbeddedUnavailable, find_weights
from cortexd.providers.embedded.settings import EmbeddedSettings

READY_S_MAX: Final = 60.0
LAST_WORDS_S_MAX: Final = 1.0
REAPING_S_MAX: Final = 5.0
READY_LINE: Final = b'{"ready": true}\n'
READY_LINE_BYTES_MAX: Final = 4096
LAST_WORDS_BYTES_MAX: Final = 2000

ENDED: Final = "the engine has ended and will be started again"

# How many tokens of a prompt it reads before it looks whether its client is still there.
BATCH_TOKENS: Final = 128

_PROCESS: Final = Path(__file__).with_name("engine_process.py")


class EngineDied(Exception):
    """The engine's process has ended by itself, or did not come up; another one may live."""


class EmbeddedEngine:
    """A service that runs the engine's process, made anew for each incarnation.

    `run()` publishes where it listens in `address` and calls `on_ready` when it does.
    """

    def __init__(
        self,
        settings: EmbeddedSettings,
        address: EngineAddress,
        *,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._address = address
        self._on_ready = on_ready
        self._stop = trio.CancelScope()

    def request_stop(self) -> None:
        """End the process, and with it `run()`; harmless if repeated."""
        self._stop.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run one process to its end.

        Reports started at once, since the node boots without waiting for a model.
        Without engine or weights it publishes the reason and waits to be stopped: no restart
        would help.
        Errors: `EngineDied`.
        Cancellation: kills the process; it has no state to save.
        """
        with self._stop:
            task_status.started()
            self._address.load()
            try:
                weights = find_weights(self._settings)
            except EmbeddedUnavailable as unavailable:
                self._address.withdraw(str(unavailable), for_good=True)
                await trio.sleep_forever()
            else:
                await self._run_process(weights)

    async def _run_process(self, weights: Path) -> None:
        try:
            death = await self._live(weights)
        except OSError as error:
            # No room for its folder, or for a process: no engine, and nobody may wait for one.
            self._address.withdraw(ENDED)
            reason = error.strerror or type(error).__name__
            raise EngineDied(f"the engine could not be started: {reason}") from error
        raise EngineDied(death)

    async def _live(self, weights: Path) -> str:
        """Run the process, and say of what it has died."""
        # Nobody else may enter the directory, so nobody else can reach the engine.
        with tempfile.TemporaryDirectory(prefix="cortexd-engine-") as directory:
            socket = Path(directory) / "engine.sock"
            # The end of its standard input is what ends it, whatever becomes of this process.
            process = await trio.lowlevel.open_process(
                [sys.executable, "-P", str(_PROCESS), self._parameters(weights, socket)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A Ctrl-C at the terminal is the gateway's business.
                start_new_session=True,
            )
            try:
                return await self._attend(process, socket)
            finally:
                self._address.withdraw(ENDED)
                await _put_to_rest(process)

    async def _attend(self, process: trio.Process, socket: Path) -> str:
        """Stay with the process until it has died, and say of what."""
        last_words = bytearray()
        async with trio.open_nursery() as nursery:
            # Its log must be read, or it stands still with a full pipe.
            nursery.start_soon(_listen, cast("trio.abc.ReceiveStream", process.stderr), last_words)
            with trio.move_on_after(READY_S_MAX) as waiting:
                if await _is_ready(cast("trio.abc.ReceiveStream", process.stdout)):
                    waiting.deadline = math.inf
                    self._address.publish(socket)
                    self._on_ready()
                await process.wait()
            nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_S_MAX
            if waiting.cancelled_caught:
                nursery.cancel_scope.cancel()
        if waiting.cancelled_caught:
            return f"the engine was not ready within {READY_S_MAX:.0f} s"
        words = last_words.decode(errors="replace").strip()
        return f"the engine {_how_it_ended(process)}" + (
            f"; its last words: {words}" if words else ""
        )

    def _parameters(self, weights: Path, socket: Path) -> str:
        return json.dumps(
            {
                "weights": str(weights),
                "model": self._settings.model,
                "socket": str(socket),
                "context_tokens": self._settings.context_tokens,
                "threads": self._settings.threads,
                "batch_tokens": BATCH_TOKENS,
            }
        )


async def _is_ready(stdout: trio.abc.ReceiveStream) -> bool:
    """Wait for the line that says so; without it, for the end of all lines."""
    lines = b""
    # A library may have something to print before it.
    while READY_LINE not in lines:
        piece = await stdout.receive_some()
        if not piece:
            return False
        lines = lines[-READY_LINE_BYTES_MAX:] + piece
    return True


async def _listen(stderr: trio.abc.ReceiveStream, last_words: bytearray) -> None:
    async for piece in stderr:
        last_words += piece
        del last_words[:-LAST_WORDS_BYTES_MAX]


async def _put_to_rest(process: trio.Process) -> None:
    with trio.move_on_after(REAPING_S_MAX, shield=True):
        process.kill()
        await process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()


def _how_it_ended(process: trio.Process) -> str:
    status = process.returncode or 0
    return f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
