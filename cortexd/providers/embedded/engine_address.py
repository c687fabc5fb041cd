"""Where the engine listens now: the one thing that outlives its processes."""

from pathlib import Path


class EngineAddress:
    """Written by the engine of the day, read by the worker in front of it.

    `socket` is `None` while no engine can be asked; `reason` then says why.
    """

    def __init__(self) -> None:
        self._socket: Path | None = None
        self._reason = "the engine has not been started"
        self._is_coming = True

    @property
    def socket(self) -> Path | None:
        """The Unix socket of the engine."""
        return self._socket

    @property
    def reason(self) -> str:
        """Why there is no engine to ask; fit for the operator's eyes."""
        return self._reason

    @property
    def is_coming(self) -> bool:
        """Whether asking again in a moment may help, while there is no engine."""
        return self._is_coming

    def publish(self, socket: Path) -> None:
        """An engine is ready."""
        self._socket = socket

    def withdraw(self, reason: str, *, for_good: bool = False) -> None:
        """There is no engine, for now or for good."""
        self._socket = None
        self._reason = reason
        self._is_coming = not for_good
