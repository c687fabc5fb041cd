"""The file and the environment as one document whose every value knows where it came from."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from cortexd.config.environment import Override, apply_overrides
from cortexd.config.positions import Positions, locate
from cortexd.config.problems import ConfigInvalid, KeyPath, Problem, key_name

FILE_BYTES_MAX = 1024 * 1024


@attrs.frozen(kw_only=True)
class Document:
    """`tables` as TOML has them; `variables`: which keys an environment variable has set."""

    source: str
    tables: Mapping[str, Any]
    positions: Positions
    variables: Mapping[KeyPath, str]

    def variable_of(self, path: KeyPath) -> str | None:
        """The environment variable that has set the value, or a table around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return self.variables[path[:length]]
        return None

    def problem(self, path: KeyPath, text: str) -> Problem:
        """Say what is wrong with a key, and where it is set."""
        variable = self.variable_of(path)
        if variable is not None:
            return Problem(None, key_name(path), text, source=variable)
        return Problem(self.positions.line_of(path), key_name(path), text, source=self.source)


def read_document(path: Path, environ: Mapping[str, str]) -> tuple[Document, list[Problem]]:
    """The document, and what is wrong with the variables that override parts of it.

    Errors: `ConfigInvalid` if there is no such file, or no TOML in it.
    """
    text = _read(path)
    try:
        tables = tomllib.loads(text)
        positions = locate(text)
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid([_syntax_problem(str(path), text, error)]) from error
    overrides = apply_overrides(tables, environ)
    document = Document(
        source=str(path),
        tables=tables,
        positions=positions,
        variables={
            override.path: override.variable for override in overrides if not override.refusal
        },
    )
    return document, [_refused(override) for override in overrides if override.refusal]


def _refused(override: Override) -> Problem:
    return Problem(None, key_name(override.path), override.refusal, source=override.variable)


def _read(path: Path) -> str:
    """The file's text, without the byte order mark that some editors leave."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        text = f"the file cannot be read: {error.strerror}"
        raise ConfigInvalid([Problem(None, "", text, source=str(path))]) from error
    if len(content) > FILE_BYTES_MAX:
        text = f"the file is larger than {FILE_BYTES_MAX} bytes"
        raise ConfigInvalid([Problem(None, "", text, source=str(path))])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = "not valid TOML: the file must be UTF-8 text"
        raise ConfigInvalid([Problem(line, "", text, source=str(path))]) from error


def _syntax_problem(source: str, document: str, error: Exception) -> Problem:
    """The text of a TOML error has the place in it; other errors are limits of the interpreter."""
    if not isinstance(error, tomllib.TOMLDecodeError):
        text = "not valid TOML: nested too deeply, or a number too long"
        return Problem(None, "", text, source=source)
    message, _, place = str(error).partition(" (at ")
    found = re.search(r"line (\d+), column (\d+)", place)
    if found is None:
        last_line = document.rstrip().count("\n") + 1
        text = f"not valid TOML: {message} at the end of the file"
        return Problem(last_line, "", text, source=source)
    text = f"not valid TOML: {message} (column {found[2]})"
    return Problem(int(found[1]), "", text, source=source)
