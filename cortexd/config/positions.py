"""On which line of a TOML document each key stands; `tomllib` does not tell.

Rule of this file: the text has already been accepted by `tomllib`. So nothing here decides whether
it is valid; finding the end of each value is all there is to do, in one pass over the text.
"""

import re
import tomllib
from collections.abc import Mapping

import attrs

from cortexd.config.problems import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY_PART = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'")
# The longest quotes first. Up to two quotes may stand directly before the closing three.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_OTHER_SCALAR = re.compile(r"[^,\]}#\n]+")


@attrs.frozen
class Positions:
    """The line of each key, counted from one. An array's items count as keys: `bind[0]`."""

    lines: Mapping[KeyPath, int] = attrs.Factory(dict)

    def line_of(self, path: KeyPath) -> int | None:
        """The line of the key; of the nearest table around it if the key itself is not there."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def locate(text: str) -> Positions:
    """Find every key of a valid document."""
    return Positions(_Scanner(text).document())


class _Scanner:
    """A cursor over the text; each method starts at its thing and leaves the cursor behind it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._lines: dict[KeyPath, int] = {}
        self._array_tables: dict[KeyPath, int] = {}

    def document(self) -> dict[KeyPath, int]:
        """Statement after statement: a header, or a key with its value."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> KeyPath:
        """`[table]` or `[[array]]`; the path all following keys belong under."""
        line = self._line
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        self._skip(_SPACE)
        parts = self._key()
        self._at += brackets
        path: KeyPath = ()
        for depth, part in enumerate(parts):
            path = (*path, part)
            self._lines.setdefault(path, line)
            last = depth == len(parts) - 1
            if last and brackets == 2:  # noqa: PLR2004  # the second bracket is the array's
                self._array_tables[path] = self._array_tables.get(path, -1) + 1
            if path in self._array_tables:
                # A name that goes through an array means its latest table.
                path = (*path, self._array_tables[path])
                self._lines.setdefault(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        """`key = value`, in a table or an inline one."""
        path = table
        for part in self._key():
            path = (*path, part)
            self._lines.setdefault(path, self._line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        """A bare, quoted or dotted key, and the space around its parts."""
        parts: list[str] = []
        while True:
            spelling = self._skip(_KEY_PART)
            # Unquoting has rules of its own (escapes), and tomllib knows them.
            parts.append(next(iter(tomllib.loads(f"{spelling} = 0"))))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1
            self._skip(_SPACE)

    def _value(self, path: KeyPath) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_OTHER_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._next_item("]"):
            self._lines[*path, index] = self._line
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._next_item("}"):
            self._pair(path)

    def _next_item(self, closing: str) -> bool:
        """Go to the next item, over the comma before it; or over the closing bracket."""
        self._skip(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(_BLANK)
        if self._text.startswith(closing, self._at):
            self._at += 1
            return False
        return True

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Go behind what the pattern matches here; all newlines are passed in here."""
        found = pattern.match(self._text, self._at)
        if found is None:
            raise AssertionError(f"line {self._line}: not the TOML that tomllib accepted")
        self._at = found.end()
        self._line += found[0].count("\n")
        return found[0]
