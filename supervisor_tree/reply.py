"""The obligation to answer a deferred call, as an object that can be handed on."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from supervisor_tree.exit_reason import Exit, ExitKind

if TYPE_CHECKING:
    from supervisor_tree.mailbox import Mailbox
    from supervisor_tree.message import Call

R_contra = TypeVar("R_contra", contravariant=True)


class Reply(Generic[R_contra]):
    """Answers one call, once, from any task.

    Too late (the caller has gone, the actor has died) it does nothing. An object that is dropped
    without an answer gives the caller ActorDied.
    """

    def __init__(self, call: Call, mailbox: Mailbox) -> None:
        self._call = call
        self._mailbox = mailbox
        self._used = False
        self._token = trio.lowlevel.current_trio_token()

    def send(self, value: R_contra) -> None:
        """Answer. Errors: RuntimeError on the second answer."""
        self._use()
        self._call.settle(value)

    def error(self, exc: Exception) -> None:
        """Answer with an exception, raised at the caller. Errors: RuntimeError, as above."""
        self._use()
        self._call.fail(exc)

    def _use(self) -> None:
        if self._used:
            raise RuntimeError("this call has been answered already")
        self._used = True

    def __del__(self) -> None:
        if self._used or not self._call.pending:
            return
        # The garbage collector runs at any moment and in any thread, so not from here.
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(
                self._mailbox.died, self._call, Exit(ExitKind.NORMAL), idempotent=False
            )
