"""One SQLite file with one thread of its own, so that the event loop never waits for a disk.

Writes that come together share a transaction, and with it the wait for the disk: the first is held
back for a moment, and what was written is acknowledged once the disk has it.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import trio

from cortexd.domain.errors import StorageFailed
from cortexd.domain.events import Emit, Event, StorageRecovered, StorageTroubled
from cortexd.storage.database_file import DatabaseFile, FileLimits
from cortexd.storage.job import Job

T = TypeVar("T")

GATHER_S: Final = 0.005
"""How long the first write of a transaction waits for others."""

BATCH_JOBS_MAX: Final = 64

WAITING_JOBS_MAX: Final = 1024
"""So many may wait for the thread; those that come then are refused."""

WAIT_S_MAX: Final = 5.0
"""How long anybody waits for an answer."""

STALLED_S: Final = 5.0
"""A disk that has not answered for so long is not waited for by those who come next."""

CLOSE_S_MAX: Final = 1.5
"""How long the end of the node waits for what is still to be written."""


def _tell_nobody(_event: Event) -> None:
    pass


class Database:
    """The only way to its file. Usable from the start; as a child of the tree it is closed in time.

    `migrations`: scripts of SQL, oldest first; only ever added to. `durable`: what `write` has
    returned from survives a loss of power, not just the end of the process.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        *,
        durable: bool = True,
        emit: Emit = _tell_nobody,
        limits: FileLimits | None = None,
    ) -> None:
        self.name = path.name
        self._file = DatabaseFile(path, migrations, durable=durable, limits=limits or FileLimits())
        self._emit = emit
        self._told: str | None = None
        self._flaw: str | None = None
        self._stopping = trio.Event()
        # All below is shared with the thread, under this lock.
        self._changed = threading.Condition()
        self._writes: deque[Job] = deque()
        self._reads: deque[Job] = deque()
        self._busy_since: float | None = None
        self._is_serving = self._is_closing = self._has_read = False
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    @property
    def trouble(self) -> str | None:
        """Why it cannot be written to, or what is or has lately been wrong with it, if anything."""
        return self._stalled() or self._file.trouble or self._flaw

    def note(self, flaw: str | None) -> None:
        """Take down what is wrong with what is in it, says who reads it; `None`: nothing is.

        The file is used as before.
        """
        self._flaw = flaw
        self._tell(self.trouble)

    async def write(self, work: Callable[[sqlite3.Connection], T], *, frees: bool = False) -> T:
        """Do `work` in a transaction, in the database's thread; returns once it is on disk.

        `frees`: it makes room, and so is let through when the disk is full.
        Errors: `StorageFailed`, after which nothing has been done, unless it says that the database
        did not answer: then nobody knows; what `work` raises, and then nothing has been done.
        Cancellation: the caller stops waiting, and the work is done as a whole or not at all.
        """
        reason = self._stalled() or (None if frees else self._file.pause)
        if reason is not None:
            self._tell(self.trouble)
            await trio.lowlevel.checkpoint()
            raise StorageFailed(f"the database cannot be used: {reason}")
        result: T = await self._ask(Job(work=work, writes=True, frees=frees))
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in the database's thread. Errors and cancellation as for `write`."""
        result: T = await self._ask(Job(work=work, writes=False))
        return result

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Be open until stopped, then write what waits; over within `CLOSE_S_MAX`."""
        task_status.started()
        try:
            # Damage is found now, and not by the first request that fails.
            with suppress(StorageFailed):
                self._post(Job(work=_nothing, writes=False))
            await self._stopping.wait()
        finally:
            self._stopping = trio.Event()
            await self.aclose()

    def request_stop(self) -> None:
        """Ask `run` to end."""
        self._stopping.set()

    async def aclose(self) -> None:
        """Write what waits and close the file, within `CLOSE_S_MAX`. It opens again when used."""
        thread = self._thread
        if thread is None:
            return
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_S_MAX):
            await trio.to_thread.run_sync(
                thread.join, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
            )

    async def _ask(self, job: Job) -> Any:
        self._post(job)
        try:
            with trio.move_on_after(WAIT_S_MAX):
                await job.done.wait()
        finally:
            if not job.done.is_set():
                job.give_up()
        if not job.done.is_set():
            self._tell(self.trouble)
            raise StorageFailed(f"the database did not answer within {WAIT_S_MAX:g} s")
        if job.error is not None:
            raise job.error
        return job.result

    def _post(self, job: Job) -> None:
        """Hand the job to the thread. Errors: `StorageFailed` when too many wait."""
        self._token = trio.lowlevel.current_trio_token()
        with self._changed:
            if len(self._writes) + len(self._reads) >= WAITING_JOBS_MAX:
                raise StorageFailed("too much is waiting for the database")
            (self._writes if job.writes else self._reads).append(job)
            if not self._is_serving:
                self._is_serving, self._is_closing = True, False
                self._thread = threading.Thread(
                    target=self._work,
                    args=(self._thread,),
                    name=f"database {self.name}",
                    # The end of the process does not wait for a disk that hangs.
                    daemon=True,
                )
                self._thread.start()
            self._changed.notify()

    def _stalled(self) -> str | None:
        since = self._busy_since
        is_stalled = since is not None and time.monotonic() - since > STALLED_S
        return "the disk does not answer" if is_stalled else None

    def _tell(self, trouble: str | None) -> None:
        """Say what has changed, once."""
        told, self._told = self._told, trouble
        if trouble is not None and (told is None or trouble != told):
            self._emit(StorageTroubled(database=self.name, reason=trouble))
        elif trouble is None and told is not None:
            self._emit(StorageRecovered(database=self.name))

    # What follows runs in the thread.

    def _work(self, predecessor: threading.Thread | None) -> None:
        if predecessor is not None:
            predecessor.join()
        try:
            while (jobs := self._next_jobs()) is not None:
                self._busy_since = time.monotonic()
                self._file.tend()
                if jobs and jobs[0].writes:
                    self._file.write(jobs)
                else:
                    self._file.read(jobs)
                self._busy_since = None
                self._report(jobs)
        finally:
            with self._changed:
                self._is_serving, self._busy_since = False, None
            self._file.close()

    def _next_jobs(self) -> list[Job] | None:
        """Reads, or writes that came together; none when something else is due; `None`: no more."""
        with self._changed:
            if not self._reads and not self._writes:
                if self._is_closing:
                    self._is_serving = False
                    return None
                due_at = self._file.due_at
                self._changed.wait(None if due_at is None else due_at - time.monotonic())
            elif not self._reads:
                self._gather()
            # In turns: neither must wait for as long as the other keeps coming.
            queues = (self._reads, self._writes)
            first, second = reversed(queues) if self._has_read else queues
            waiting = first or second
            self._has_read = waiting is self._reads
            jobs = [waiting.popleft() for _ in range(min(len(waiting), BATCH_JOBS_MAX))]
            return [job for job in jobs if not job.given_up]

    def _gather(self) -> None:
        until = time.monotonic() + GATHER_S
        while len(self._writes) < BATCH_JOBS_MAX and not self._is_closing:
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(left_s)

    def _report(self, jobs: Sequence[Job]) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._deliver, jobs, self._file.trouble)

    def _deliver(self, jobs: Sequence[Job], trouble: str | None) -> None:
        self._tell(trouble or self._flaw)
        for job in jobs:
            job.done.set()


def _nothing(_connection: sqlite3.Connection) -> None:
    pass
