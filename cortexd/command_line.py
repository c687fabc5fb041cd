"""What the commands of our daemons have in common: `cortexd` and `cortex-agent`."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import click

from cortexd.config.problems import ConfigInvalid

EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h."""

T = TypeVar("T")

Option: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]


def config_option(default: str) -> Option:
    """`--config`: the file of that name in the present folder, if it is not said."""

    def found(_context: click.Context, _option: click.Parameter, named: Path | None) -> Path:
        if named is not None:
            return named
        if not Path(default).exists():
            raise click.UsageError(
                f"There is no ./{default} here; name the file with --config FILE."
            )
        return Path(default)

    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=found,
        help=f"The configuration, in TOML. Left out: ./{default}, if there is one.",
    )


def log_format_option() -> Option:
    """`--log-format`: for people where they read, else for programs, if it is not said."""
    return click.option(
        "--log-format",
        type=click.Choice(["json", "text"]),
        default=lambda: "text" if sys.stderr.isatty() else "json",
        help="How to log to stderr. Left out: text on a terminal, else json.",
    )


def loaded(load: Callable[[Path, Mapping[str, str]], T], config_file: Path) -> T:
    """The configuration; a wrong one is told problem by problem, and ends the process."""
    try:
        return load(config_file, os.environ)
    except ConfigInvalid as invalid:
        for problem in invalid.problems:
            click.echo(str(problem), err=True)
        count = len(invalid.problems)
        click.echo(f"{count} problem{'s' if count > 1 else ''} in the configuration", err=True)
        sys.exit(EXIT_CONFIG)
