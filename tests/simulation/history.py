"""What happened in a run, line by line, and what should not have happened."""

import traceback

import attrs
import trio


@attrs.define(eq=False)
class History:
    """Equal runs have equal `lines`; a run in which all went well has no `violations`.

    `violation` also goes on record as a line, at the time it was found.
    """

    lines: list[str] = attrs.Factory(list)
    violations: list[str] = attrs.Factory(list)

    def note(self, who: str, what: str) -> None:
        """Put something on record."""
        self.lines.append(f"{trio.current_time():10.3f}  {who:<12} {what}")

    def crash(self, error: Exception) -> None:
        """Put on record what no part of the node has caught."""
        self.lines += traceback.format_exception(error)
        self.violations.append(f"the node has crashed: {error!r}")

    def violation(self, who: str, what: str) -> None:
        """Put on record what breaks an invariant."""
        self.note(who, f"VIOLATION {what}")
        self.violations.append(f"{who}: {what}")
